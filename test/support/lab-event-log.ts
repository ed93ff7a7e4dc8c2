import { chmod, chown, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SambaHost } from '#scripts/rehearsal/domain/samba-host.ts';

/** The Directory Service log of a Samba controller: Samba serves it by MS-EVEN, and `eventlogadm` writes into it. */

export interface LabEvent {
  readonly at: Date;
  readonly id: number;
  readonly source: string;
  readonly strings?: readonly string[];
}

const log = 'Directory Service';
/** Event Log Readers. */
const readers = 'S-1-5-32-573';
const informational = 0x4000_0000;

/** Adds records, in their order, to those that are there. The controller has to run. */
export async function writeEvents(host: SambaHost, events: readonly LabEvent[]): Promise<void> {
  await host.run('writing into the event log', 'eventlogadm', ['-o', 'write', log], {
    input: Buffer.from(events.map(formatEvent).join('')),
  });
  const file = path.join(host.directory, 'lib', 'eventlog', `${log.toLowerCase()}.tdb`);
  await startAtTheNewest(file, await countRecords(host));
  // Windows lets this group read the log; Samba lets in whom the file lets in.
  const gid = Number(await host.run('looking for the group', 'wbinfo', ['--sid-to-gid', readers]));
  await chown(file, 0, gid);
  await chmod(file, 0o640);
}

export async function addToEventLogReaders(host: SambaHost, account: string): Promise<void> {
  await host.run('letting the account read event logs', 'samba-tool', [
    ...['group', 'addmembers', 'Event Log Readers', account],
  ]);
}

/** Input format of eventlogadm(8). */
function formatEvent({ at, id, source, strings = [] }: LabEvent): string {
  const seconds = Math.floor(at.getTime() / 1000);
  const lines = [
    ...['LEN: 0', 'RS1: 1699505740', 'RCN: 0', `TMG: ${seconds}`, `TMW: ${seconds}`],
    ...[`EID: ${informational + id}`, 'ETP: INFO', 'ECT: 5', 'RS2: 0', 'CRN: 0', 'USL: 0'],
    ...[`SRC: ${source}`, 'SRN: LAB', ...strings.map((string) => `STR: ${string}`)],
  ];
  return `${lines.join('\n')}\n\n`;
}

async function countRecords(host: SambaHost): Promise<number> {
  const shown = await host.run('counting the records', 'eventlogadm', ['-o', 'dump', log, '1']);
  return shown.match(/^displaying record: /gm)?.length ?? 0;
}

/**
 * A client that reads backwards gets the newest record first from Windows. Samba 4.17 begins at its `oldest_entry`
 * whichever way it goes (srv_eventlog_nt.c): with the newest record's number there, it goes Windows' way.
 */
async function startAtTheNewest(file: string, newest: number): Promise<void> {
  const bytes = await readFile(file);
  const key = 'INFO/oldest_entry\0';
  const at = bytes.indexOf(key);
  if (at < 0) throw new Error(`${file} has no ${key}`);
  bytes.writeUInt32LE(newest, at + key.length);
  await writeFile(file, bytes);
}
