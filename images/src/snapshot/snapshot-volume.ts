import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import type { PlannedSnapshot } from './plan-snapshot.ts';
import { lvm } from './read-online-facts.ts';

/**
 * A snapshot under a mounted logical volume, made by the device mapper itself. lvcreate --snapshot would freeze
 * each file system on its own, and fails on one that is frozen already: several volumes would be of several moments.
 *
 *     before   volume = linear …                      (LVM's own table)
 *     after    volume = snapshot-origin on real       real = LVM's table, snapshot = real + what changed since
 *
 * The new table is loaded while everything runs, and put in force by one system call (dm ioctl resume).
 * Changed blocks go to a plain logical volume. After a restart of the machine LVM's own table is back by itself.
 */
export const dmsetup = { command: 'dmsetup', debianPackage: 'dmsetup' };
const realPrefix = 'rekindle-real-';
const snapPrefix = 'rekindle-snap-';
const chunkSectors = 8;

/** LVM doubles hyphens in the names of its devices. */
export function mapperName({ group, volume }: Pick<PlannedSnapshot, 'group' | 'volume'>): string {
  return `${group.replaceAll('-', '--')}-${volume.replaceAll('-', '--')}`;
}

export function snapshotDevice(snapshot: PlannedSnapshot): string {
  return `/dev/mapper/${snapPrefix}${mapperName(snapshot)}`;
}

/** Room for changes, and both devices; the volume itself is as before until `switchToSnapshot`. */
export async function prepareSnapshot(snapshot: PlannedSnapshot, stack: AsyncDisposableStack): Promise<void> {
  const { group, volume, name, sizeBytes } = snapshot;
  const doing = `preparing a snapshot of ${group}/${volume}`;
  const origin = mapperName(snapshot);
  await runTool(doing, lvm, [
    ...['lvcreate', '--name', name, '--size', `${sizeBytes}b`, '--wipesignatures', 'n', '--yes'],
    ...['--autobackup', 'n', group],
  ]);
  stack.defer(() => removeRoom(group, name));
  const table = await runTool(doing, dmsetup, ['table', origin]);
  assertPlain(table, snapshot);
  stack.defer(() => restoreTable(origin));
  await createDevice(doing, `${realPrefix}${origin}`, table);
  const extent = `0 ${sectorsOf(table)}`;
  const real = `/dev/mapper/${realPrefix}${origin}`;
  const room = `/dev/mapper/${mapperName({ group, volume: name })}`;
  await createDevice(
    doing,
    `${snapPrefix}${origin}`,
    `${extent} snapshot ${real} ${room} N ${chunkSectors}\n`,
  );
  await loadTable(doing, origin, `${extent} snapshot-origin ${real}\n`);
}

/** From here on the snapshot keeps what the volume holds at this moment. */
export async function switchToSnapshot(snapshot: PlannedSnapshot, frozen: boolean): Promise<void> {
  const doing = `taking the snapshot of ${snapshot.group}/${snapshot.volume}`;
  // A file system that fsfreeze holds cannot be frozen once more; any other one freezes for the switch itself.
  const options = frozen ? ['--nolockfs'] : [];
  await runTool(doing, dmsetup, ['resume', '--noudevsync', ...options, mapperName(snapshot)]);
}

/** Everything that a capture has put between volumes and LVM, also one that was killed. */
export async function removeSnapshots(): Promise<void> {
  const doing = 'removing what a killed capture left';
  const devices = await runTool(doing, dmsetup, ['info', '--columns', '--noheadings', '-o', 'name']);
  for (const name of devices.split('\n').map((line) => line.trim())) {
    if (name.startsWith(realPrefix)) await restoreTable(name.slice(realPrefix.length));
  }
}

export async function removeRoom(group: string, name: string): Promise<void> {
  const doing = `giving the room of the snapshot ${group}/${name} back`;
  await runTool(doing, lvm, ['lvremove', '--yes', '--autobackup', 'n', `${group}/${name}`]);
}

/** @throws RekindleError `target-unfit`: more was written than the snapshot could hold */
export async function assertSnapshotWhole(
  disk: string,
  snapshot: PlannedSnapshot,
  cause: unknown,
): Promise<void> {
  const { group, volume, sizeBytes } = snapshot;
  const state = await runTool(`looking at the snapshot of ${group}/${volume}`, dmsetup, [
    'status',
    `${snapPrefix}${mapperName(snapshot)}`,
  ]);
  // Documentation/admin-guide/device-mapper/snapshot: <used>/<all> <metadata>, or a word.
  if (/ snapshot \d+\/\d+ \d+/.test(state)) return;
  throw new RekindleError(
    'target-unfit',
    `capturing ${disk} while it is in use: more was written to ${group}/${volume} meanwhile than its snapshot could ` +
      `hold (${sizeBytes} bytes), so it is no image of one moment`,
    {
      ...(cause === undefined ? {} : { cause }),
      next: 'Nothing was published. Capture again with a larger --cow-size, or when less is written.',
    },
  );
}

/** LVM's own table back in force, then both devices away. Whatever is missing of them was never made. */
async function restoreTable(origin: string): Promise<void> {
  const doing = `giving ${origin} its own table back`;
  const existing = (await runTool(doing, dmsetup, ['info', '--columns', '--noheadings', '-o', 'name']))
    .split('\n')
    .map((line) => line.trim());
  const real = `${realPrefix}${origin}`;
  const snap = `${snapPrefix}${origin}`;
  if (existing.includes(real)) {
    const active = await runTool(doing, dmsetup, ['table', origin]);
    if (active.includes(' snapshot-origin ')) {
      await loadTable(doing, origin, await runTool(doing, dmsetup, ['table', real]));
      await runTool(doing, dmsetup, ['resume', origin]);
    } else {
      await runTool(doing, dmsetup, ['clear', origin]);
    }
  }
  for (const name of [snap, real]) {
    if (existing.includes(name)) await runTool(doing, dmsetup, ['remove', '--retry', name]);
  }
}

function assertPlain(table: string, { group, volume }: PlannedSnapshot): void {
  const odd = table
    .trim()
    .split('\n')
    .find((line) => line.split(' ')[2] !== 'linear');
  if (odd === undefined) return;
  throw new RekindleError(
    'target-unfit',
    `capturing ${group}/${volume} while it is in use: something is put under it already (${odd.split(' ')[2]})`,
    { next: 'Remove snapshots of it that LVM holds, or capture the station from the network.' },
  );
}

const sectorsOf = (table: string): number =>
  table
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);

async function createDevice(doing: string, name: string, table: string): Promise<void> {
  await runTool(doing, dmsetup, ['create', name], { input: Buffer.from(table) });
}

async function loadTable(doing: string, name: string, table: string): Promise<void> {
  await runTool(doing, dmsetup, ['load', name], { input: Buffer.from(table) });
}
