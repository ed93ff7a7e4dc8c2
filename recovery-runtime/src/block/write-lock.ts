import { basename } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import { type ByteRange, overlaps } from '#images/format/chunk-grid.ts';
import { readNumber } from '../inventory/sysfs.ts';
import { readSystemUse } from './assert-disk-free.ts';
import type { BlockDevice } from './block-devices.ts';
import type { SystemUse } from './disk-uses.ts';
import { giveBackLeftLocks, noteLocks } from './left-locks.ts';

/**
 * Write lock (BLKROSET) on everything that a restore is not to write: the kernel itself then refuses it, whoever
 * asks. Locked are whole disks with their partitions and what is stacked on them, and on a target disk the
 * partitions that the plan keeps. A file system that was mounted for writing before is not stopped by the flag, and
 * belongs to the system that runs: it is left alone, and said.
 */
export interface LockWish {
  /** Every disk of the inventory, e.g. /dev/sda. */
  readonly disks: readonly string[];
  /** Those that are written, and which of their ranges survive. */
  readonly targets: readonly { readonly path: string; readonly kept: readonly ByteRange[] }[];
}

export interface WriteLock extends AsyncDisposable {
  /** Names of the devices that are locked now, e.g. sdb, sdb1, sda4. */
  readonly locked: readonly string[];
  /** In use for writing by the running system. */
  readonly inUse: readonly string[];
}

/** A block device, and where a partition lies on its disk. */
export type PlacedDevice = BlockDevice & { readonly range: ByteRange | undefined };

/** Which devices to lock, and which are in use and so left alone. Pure. */
function planWriteLock(
  { disks, targets }: LockWish,
  { mounts, swaps }: Pick<SystemUse, 'mounts' | 'swaps'>,
  devices: readonly PlacedDevice[],
): { readonly lock: readonly string[]; readonly inUse: readonly string[] } {
  const others = new Set(
    disks.filter((path) => !targets.some((target) => target.path === path)).map((path) => basename(path)),
  );
  const chosen = new Set<string>();
  for (const { name, disk, range } of devices) {
    if (others.has(disk ?? name)) chosen.add(name);
    const target = targets.find(({ path }) => basename(path) === disk);
    if (range !== undefined && target?.kept.some((kept) => overlaps(kept, range))) chosen.add(name);
  }
  // LVM, RAID and encryption on a locked disk write to it under a name of their own.
  for (let before = -1; before !== chosen.size; ) {
    before = chosen.size;
    for (const { name, slaves } of devices) if (slaves.some((slave) => chosen.has(slave))) chosen.add(name);
  }
  const wanted = devices.filter(({ name, readOnly }) => chosen.has(name) && !readOnly);
  const isInUse = ({ name, number, inFileSystem }: BlockDevice): boolean =>
    inFileSystem ||
    swaps.includes(`/dev/${name}`) ||
    mounts.some(
      (mount) =>
        (mount.number === number || mount.source === `/dev/${name}`) &&
        !mount.options.split(',').includes('ro'),
    );
  const used = new Set(wanted.filter(isInUse).map(({ name }) => name));
  // Neither is what is below a file system that is in use.
  for (let before = -1; before !== used.size; ) {
    before = used.size;
    for (const { name, slaves, disk } of devices) {
      if (!used.has(name)) continue;
      for (const below of [...slaves, ...(disk === undefined ? [] : [disk])]) used.add(below);
    }
  }
  const names = wanted.map(({ name }) => name);
  return { lock: names.filter((name) => !used.has(name)), inUse: names.filter((name) => used.has(name)) };
}

/**
 * Locks, and looks whether the kernel says so. Disposing of the lock gives back what it took.
 * @throws RekindleError `target-unfit` when a device that has to be locked is not
 */
export async function lockDisks(wish: LockWish): Promise<WriteLock> {
  const use = await readSystemUse();
  const { lock, inUse } = planWriteLock(wish, use, await place(use.devices));
  const locked: string[] = [];
  const unlock = async () => {
    for (const name of locked.splice(0)) await setReadOnly(name, false);
    await forget();
  };
  const forget = await noteLocks(lock);
  try {
    for (const name of lock) {
      await setReadOnly(name, true);
      locked.push(name);
      if ((await readNumber({ root: '/' }, `sys/class/block/${name}/ro`)) !== 1) {
        throw notLocked(name, 'the kernel does not keep the flag');
      }
    }
  } catch (error) {
    await unlock();
    throw error;
  }
  return { locked: [...locked], inUse, [Symbol.asyncDispose]: unlock };
}

/** Gives back what a run of this program that was killed has locked. */
export const releaseLeftLocks = (): Promise<void> => giveBackLeftLocks((name) => setReadOnly(name, false));

async function setReadOnly(name: string, readOnly: boolean): Promise<void> {
  const path = `/dev/${name.replaceAll('!', '/')}`;
  const words = [readOnly ? '--setro' : '--setrw', path];
  const { status, stderr } = await callTool(
    `locking ${path} against writing`,
    { command: 'blockdev', debianPackage: 'util-linux' },
    words,
  );
  // What is unlocked may have been pulled out meanwhile.
  if (status !== 0 && readOnly) throw notLocked(name, stderr.trim());
}

function notLocked(name: string, why: string): RekindleError {
  return new RekindleError('target-unfit', `locking ${name}, which is not to be written, against writing`, {
    cause: new Error(why),
    next: 'Nothing was written. Detach that disk, then start again.',
  });
}

const sectorUnit = 512;

async function place(devices: readonly BlockDevice[]): Promise<PlacedDevice[]> {
  return Promise.all(
    devices.map(async (device) => {
      const number = (attribute: string) =>
        readNumber({ root: '/' }, `sys/class/block/${device.name}/${attribute}`);
      const [start, size] = await Promise.all([number('start'), number('size')]);
      const range =
        start === undefined || size === undefined
          ? undefined
          : { startByte: start * sectorUnit, sizeBytes: size * sectorUnit };
      return { ...device, range };
    }),
  );
}
