/**
 * A record of a Windows event log (EVENTLOGRECORD, MS-EVEN 2.2.3), as Samba's `rpcclient` prints it at debug level 1.
 * Pure.
 */
export interface EventRecord {
  /** Of the log; newer records have higher numbers. */
  readonly number: number;
  /** By the clock of the computer that wrote it, whole seconds. */
  readonly generated: Date;
  /** What Windows shows as the event's number: the low 16 bits of EventID. */
  readonly id: number;
  /** `NTDS Replication` */
  readonly source: string;
  /** Insertion strings of its text, in the order in which the source gave them. */
  readonly strings: readonly string[];
}

const idBits = 0xff_ff;

/** In the order of the output, each number once. What is no whole record is left out: the output may be cut off. */
export function parseEventLog(said: string): EventRecord[] {
  const records = new Map<number, EventRecord>();
  const [, ...blocks] = said.split(/^ *&?r: struct EVENTLOGRECORD$/m);
  for (const block of blocks) {
    const record = parseRecord(block);
    // The last record of a log comes twice: the program prints its buffer again when the log has ended.
    if (record !== undefined && !records.has(record.number)) records.set(record.number, record);
  }
  return [...records.values()];
}

function parseRecord(block: string): EventRecord | undefined {
  const stringsAt = block.search(/^ +Strings: ARRAY\(\d+\)$/m);
  const dataAt = block.search(/^ {8}Data {2,}:/m);
  // Data follow the strings: until they begin, the record may be cut off.
  if (stringsAt < 0 || dataAt < stringsAt) return undefined;
  const head = block.slice(0, stringsAt);
  const number = numberOf(head, 'RecordNumber');
  const eventId = numberOf(head, 'EventID');
  const generated = timeOf(head);
  const source = /^ +SourceName +: '(.*)'$/m.exec(head)?.[1];
  if (number === undefined || eventId === undefined || generated === undefined || source === undefined)
    return undefined;
  const strings = [
    // A string may have lines of its own.
    ...block
      .slice(stringsAt, dataAt)
      .matchAll(/^ +Strings {2,}: '([\s\S]*?)'$(?=\n +Strings {2,}:|\n?$(?![\s\S]))/gm),
  ].map(([, string = '']) => string);
  return { number, generated, id: eventId & idBits, source, strings };
}

function numberOf(head: string, field: string): number | undefined {
  const value = new RegExp(`^ +${field} +: 0x\\w+ \\((\\d+)\\)$`, 'm').exec(head)?.[1];
  return value === undefined ? undefined : Number(value);
}

/** `Sat Nov 28 04:33:36 2026 UTC`; Samba writes a time that is none in words. */
function timeOf(head: string): Date | undefined {
  const [, month, day, time, year] =
    /^ +TimeGenerated +: \w{3} (\w{3}) +(\d+) (\d\d:\d\d:\d\d) (\d{4}) UTC$/m.exec(head) ?? [];
  const date = new Date(`${day} ${month} ${year} ${time} UTC`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
