import { errorChain, RekindleError } from '#base/errors.ts';
import { openDirectory } from './directory-session.ts';
import type { DomainSettings } from './domain-settings.ts';
import { type EventRecord, parseEventLog } from './parse-event-log.ts';
import { readClock } from './read-directory.ts';
import { callSamba, cutByTime } from './samba-client.ts';

/** The log that a controller keeps of its directory. */
const directoryServiceLog = 'Directory Service';

/** What the event log of a controller says, or why it says nothing: that never fails a proof. */
export type EventLogReading = { readonly controller: string } & (
  | {
      readonly kind: 'read';
      /** Newest first. */
      readonly records: readonly EventRecord[];
      /** It was read to its oldest record. */
      readonly whole: boolean;
      /** How far the controller's clock is ahead of this computer's. */
      readonly clockAheadMs: number;
    }
  | { readonly kind: 'unread'; readonly why: string; readonly next: string }
);

/** Reads the records. */
export const eventLogTool = { command: 'rpcclient', debianPackage: 'smbclient' };
/** Two calls for each record; text of about 5000 records. */
const atMost = { seconds: 40, bytes: 8 << 20 };

/**
 * Reads the Directory Service log of a controller, newest first, by MS-EVEN: named pipe `eventlog` of SMB, TCP port
 * 445. The account has to be in Event Log Readers (S-1-5-32-573). Only reads.
 * @param controller DNS name
 */
export async function readDirectoryServiceLog(
  settings: DomainSettings,
  controller: string,
  signal?: AbortSignal,
): Promise<EventLogReading> {
  try {
    const clockAheadMs = await readClockAhead(settings, controller);
    const { status, stdout } = await callSamba(settings, {
      doing: `Reading the event log of ${controller}`,
      tool: eventLogTool,
      args: [
        // Level 1 is where records are printed; names are asked of the DNS only, not shouted into the network.
        ...['--debuglevel=1', '--option=name resolve order=host'],
        ...['-c', `eventlog_readlog "${directoryServiceLog}"`, controller],
      ],
      atMost,
      ...(signal === undefined ? {} : { signal }),
    });
    const records = parseEventLog(stdout.toString());
    if (records.length === 0)
      return { controller, kind: 'unread', ...whyUnread(stdout.toString(), status, settings) };
    return { controller, kind: 'read', records, whole: status === 0, clockAheadMs };
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    return { controller, kind: 'unread', why: errorChain(error).join(': '), next: error.next ?? '' };
  }
}

async function readClockAhead(settings: DomainSettings, controller: string): Promise<number> {
  await using session = await openDirectory(controller, settings);
  const asked = Date.now();
  const clock = await readClock(session);
  return clock.getTime() - (asked + Date.now()) / 2;
}

/** Pure: what `rpcclient` says when there is no record, and what a person can do. */
export function whyUnread(
  said: string,
  status: number,
  { credentials, domain }: Pick<DomainSettings, 'credentials' | 'domain'>,
): { readonly why: string; readonly next: string } {
  const code = /NT_STATUS_[A-Z_]+/.exec(said)?.[0] ?? '';
  const who = `${credentials.account} of ${domain}`;
  if (/ACCESS_DENIED/.test(code)) {
    return {
      why: `${who} may not read it (${code})`,
      next: 'Make the account a member of Event Log Readers (BUILTIN, S-1-5-32-573) in the domain.',
    };
  }
  if (/LOGON|PASSWORD|ACCOUNT/.test(code)) {
    return { why: `SMB refuses ${who} (${code})`, next: 'Check directory.account and its password file.' };
  }
  if (/OBJECT_|NOT_FOUND|NOT_SUPPORTED/.test(code))
    return { why: `it has no log of that name (${code})`, next: 'Is it a Windows domain controller?' };
  if (/Cannot connect/.test(said) || status === cutByTime) {
    return {
      why: `it does not answer by SMB (${code === '' ? `nothing within ${atMost.seconds} s` : code})`,
      next: 'Open TCP port 445 of the controller for this computer.',
    };
  }
  const last = said.trim().split('\n').at(-1);
  return {
    why: last === '' || last === undefined ? 'it is empty' : `rpcclient says: ${last}`,
    next: 'Look at the log on the controller itself.',
  };
}
