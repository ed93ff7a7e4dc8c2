import { formatMinute } from './filetime.ts';
import type { Finding } from './finding.ts';
import type { EventRecord } from './parse-event-log.ts';
import type { EventLogReading } from './read-event-log.ts';

/**
 * Event 1587: a controller that has a new invocationId since a restore was asked for changes under the old one, and has
 * set its partner right. Its text speaks of "the local" controller as the restored one, and observers have reported it
 * from the others' logs (MSXFAQ, "Imagebackup als Sicherung"): it counts in either, by what it names.
 * Strings, in the order of its text: GUID of the partner's nTDSDSA object, USN of the restore, previous database GUID
 * with two USNs, new database GUID with two USNs. A database GUID is an invocationId (MS-ADA1 2.314). Pure.
 */
export interface Event1587Evidence {
  /** The invocationId that the restored controller had in its image. */
  readonly oldInvocationId: string | undefined;
  /** What partners have of it now, and what it named itself. */
  readonly invocationIds: readonly (string | undefined)[];
  /** No event before it counts; by this computer's clock. */
  readonly restoredAt: Date;
  readonly logs: readonly EventLogReading[];
}

const eventId = 1587;
/** Names of the source until Windows Server 2003, and since. */
const sources = /^NTDS Replication$|ActiveDirectory_DomainService$/i;
/** Both clocks are read in whole seconds. */
const clockStepsMs = 2000;

export function judgeEvent1587({
  oldInvocationId,
  invocationIds,
  restoredAt,
  logs,
}: Event1587Evidence): readonly [Finding, ...Finding[]] {
  const old = oldInvocationId?.toUpperCase();
  const fresh = [...new Set(invocationIds.map((id) => id?.toUpperCase()))].filter(
    (id) => id !== undefined && id !== old,
  );
  if (fresh.length === 0)
    return [['unverified', 'Event 1587 was not looked for: its new invocationId is not known.']];
  if (logs.length === 0)
    return [['unverified', 'Event 1587 was not looked for: no controller could be asked for its log.']];
  const seen = logs.map((log) => judgeLog(log, fresh, restoredAt));
  const [proof, ...more] = seen.filter(([kind]) => kind === 'proved');
  if (proof !== undefined) return [proof, ...more];
  return seen as [Finding, ...Finding[]];
}

function judgeLog(log: EventLogReading, fresh: readonly (string | undefined)[], restoredAt: Date): Finding {
  const { controller } = log;
  if (log.kind === 'unread') {
    const next = log.next === '' ? '' : ` ${log.next}`;
    return [
      'unverified',
      `The Directory Service log of ${controller} was not read (event 1587): ${log.why}.${next}`,
    ];
  }
  const timeOf = ({ generated }: EventRecord) => new Date(generated.getTime() - log.clockAheadMs);
  const isSince = (record: EventRecord) => timeOf(record).getTime() >= restoredAt.getTime() - clockStepsMs;
  const events = log.records.filter(({ id, source }) => id === eventId && sources.test(source));
  const since = events.filter(isSince);
  const match = since.find(({ strings }) => strings.some((string) => fresh.includes(guidOf(string))));
  if (match !== undefined) {
    return [
      'proved',
      `Event 1587 in the log of ${controller} (${formatMinute(timeOf(match))}) names its new invocationId: partners were set right.`,
    ];
  }
  const [other] = since;
  if (other !== undefined) {
    return [
      'unverified',
      `Event 1587 in the log of ${controller} (${formatMinute(timeOf(other))}) does not name its new invocationId ${fresh.join(' or ')}: it is of another restore.`,
    ];
  }
  const [earlier] = events;
  const oldest = log.records.at(-1);
  const depth = log.whole || oldest === undefined ? '' : `, read back to ${formatMinute(timeOf(oldest))}`;
  return [
    'unverified',
    `There is no event 1587 since the restore in the log of ${controller} yet (${log.records.length} records${depth}${
      earlier === undefined ? '' : `; the last one is of ${formatMinute(timeOf(earlier))}, before it`
    }).`,
  ];
}

/** With or without braces. */
const guidOf = (string: string): string =>
  string
    .trim()
    .replace(/^\{|\}$/g, '')
    .toUpperCase();
