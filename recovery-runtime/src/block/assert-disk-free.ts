import { realpathSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { readBlockDevices } from './block-devices.ts';
import { findDiskUses, type Holding, type SystemUse } from './disk-uses.ts';
import { parseMountInfo, parseSwaps } from './mount-table.ts';

/** What uses which disk on this machine now. */
export async function readSystemUse(): Promise<SystemUse> {
  const [devices, mounts, swaps] = await Promise.all([
    readBlockDevices({ root: '/' }),
    readFile('/proc/self/mountinfo', 'utf8'),
    // A kernel without swap has no such file.
    readFile('/proc/swaps', 'utf8').catch(() => ''),
  ]);
  return { devices, mounts: parseMountInfo(mounts), swaps: parseSwaps(swaps) };
}

/** Folders that the restore reads from, by their real paths. */
export function holdingsOf(source: StoreRef): Holding[] {
  return source.kind === 'directory' ? [{ path: realpathSync(source.path), what: 'the image store' }] : [];
}

/**
 * Refuses a disk that holds the image store, is write-protected, or is in use in any way; the kernel's own claim
 * (O_EXCL) says only "busy" and only when it is too late to plan. Reads only; a disk kept in a file has no users
 * that the kernel knows.
 * @throws RekindleError `target-unfit` with every reason
 */
export async function assertDiskFree(devicePath: string, holdings: readonly Holding[]): Promise<void> {
  const stat = statSync(devicePath);
  if (!stat.isBlockDevice()) return;
  const system = await readSystemUse();
  const number = `${(stat.rdev >> 8) & 0xfff}:${(stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00)}`;
  const device = system.devices.find((each) => each.number === number);
  if (device === undefined) {
    throw new RekindleError(
      'target-unfit',
      `looking at what uses ${devicePath}: the kernel does not list it`,
      {
        next: 'Check that the disk is still attached.',
      },
    );
  }
  const uses = findDiskUses(device.name, system, holdings);
  const [first] = uses;
  if (first === undefined) return;
  throw new RekindleError('target-unfit', `looking at what uses ${devicePath}`, {
    cause: new Error(`${uses.map(({ sentence }) => sentence).join('; ')}. Nothing was written.`),
    next: first.next,
    details: { uses: uses.map(({ kind }) => kind) },
  });
}
