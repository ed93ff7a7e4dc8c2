import { read, run, system } from '../station.ts';

/** The newest event of one number. Its place in the log tells what came later: clocks of restored stations jump. */
export interface LoggedEvent {
  /** EventRecordID; 0: there is none. */
  readonly record: number;
  /** UTC of the station's clock then, for people. */
  readonly at: string;
  /** Invocation ids and the like, upper-case, in their order in the event. */
  readonly guids: string[];
}

export function newestEvent(log: string, number: number): LoggedEvent {
  var file = `event-${number}.xml`;
  var query = `wevtutil qe "${log}" "/q:*[System[(EventID=${number})]]" /c:1 /rd:true /f:xml`;
  run(`${system('cmd.exe')} /d /c "call ${query} >${file} 2>nul"`);
  return parseEvent(read(file));
}

/** Of `wevtutil qe … /f:xml`, one event or none. The provider has a GUID too: only the event's own data count. */
export function parseEvent(xml: string): LoggedEvent {
  var record = /<EventRecordID>(\d+)</.exec(xml);
  var at = /SystemTime=["']([^"']*)["']/.exec(xml);
  var data = xml.slice(Math.max(0, xml.indexOf('<EventData')));
  var guids = data.toUpperCase().match(/[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}/g) || [];
  return {
    record: record === null ? 0 : parseInt(record[1] || '', 10),
    at: (at === null ? '' : at[1]) || '',
    guids: xml.indexOf('<EventData') < 0 ? [] : guids,
  };
}
