import { newestEvent } from './event-log.ts';
import { note, registryNumber, setting } from './memory.ts';

var parameters = 'HKLM\\SYSTEM\\CurrentControlSet\\Services\\NTDS\\Parameters';
var log = 'Directory Service';

/** What this controller's own directory service says of its restore. */
export interface Invocation {
  /** Event 1109 of this restore, not of an earlier one that is in the image's log. */
  readonly event1109: boolean;
  readonly event2095: boolean;
  readonly notWritable: boolean;
  readonly restoreCount: number;
  /**
   * It has a new invocationId: Windows alone has counted its restore. After wbadmin, which brings back a count of its
   * own, the event.
   */
  readonly renewed: boolean;
  readonly oldId: string;
  readonly newId: string;
  readonly at: string;
}

export function lookAtInvocation(): Invocation {
  var restoreCount = registryNumber(`${parameters}\\DSA Previous Restore Count`) || 0;
  var notWritable = registryNumber(`${parameters}\\Dsa Not Writable`) !== undefined;
  var before = setting('restoreCountBefore');
  var counts = before !== '';
  var counted = counts && restoreCount === parseInt(before, 10) + 1;
  var changed = newestEvent(log, 1109);
  var rollback = newestEvent(log, 2095);
  var image = setting('invocationId').toUpperCase();
  var oldId = changed.guids[0] || '';
  var newId = changed.guids[1] || '';
  // The newest event in the image's log gave it the invocationId that it has there; the manifest's may be older still.
  var namesAnother = image === '' || newId === '' ? counted : newId !== image;
  var event1109 = changed.record > 0 && namesAnother && (counted || !counts);
  return {
    event1109: event1109,
    // An older one is that of a rollback before the image; what Windows has found now it also writes down here.
    event2095: rollback.record > 0 && (event1109 ? rollback.record > changed.record : notWritable),
    notWritable: notWritable,
    restoreCount: restoreCount,
    renewed: (counts ? counted : event1109) && !notWritable,
    oldId: oldId,
    newId: newId,
    at: changed.at,
  };
}

export function noteInvocation(seen: Invocation): void {
  var ids = `invocationId ${seen.oldId || 'not named'} became ${seen.newId || 'not named'}`;
  var event = seen.event1109 ? `event 1109: ${ids}` : 'no event 1109';
  note(`${event}; restored ${seen.restoreCount} times`);
}
