import { realpathSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import type { OwnDiskMedium } from '../medium/own-disk-medium.ts';
import { readSignedTicket } from '../medium/station-ticket.ts';
import { readBlockDevices } from './block-devices.ts';
import { type DiskUse, findDiskUses, type Holding, type SystemUse } from './disk-uses.ts';
import { type Mount, parseMountInfo, parseSwaps } from './mount-table.ts';

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
 * The medium that this runtime was booted from, by the identity that the ticket in its initramfs carries: every device
 * with that file system, mounted or not. Whoever has two of them (a copied stick, a disk that was once overwritten with
 * the medium) loses neither. Empty on a machine that was booted from anything else.
 */
async function mediumHoldings(root = '/'): Promise<Holding[]> {
  const ticket = await readSignedTicket(root);
  if (ticket === undefined) return [];
  // Only the identity is taken, to refuse more: what the ticket permits is judged with its signature.
  const { fileSystemUuid } = identitySchema.parse(JSON.parse(ticket.bytes.toString('utf8')));
  const all = ['-c', '/dev/null', '-o', 'device', '-t', `UUID=${fileSystemUuid}`];
  const { stdout } = await callTool('looking for the recovery medium', blkid, all);
  const devices = stdout.toString().split('\n').filter(Boolean);
  return devices.map((device) => ({ what: 'the recovery medium', device: sysfsName(device) }));
}

const blkid = { command: 'blkid', debianPackage: 'util-linux' };
const identitySchema = z.object({ fileSystemUuid: z.string() });

/** `/dev/cciss/c0d0` is `cciss!c0d0` in sysfs. */
const sysfsName = (device: string): string => realpathSync(device).slice('/dev/'.length).replaceAll('/', '!');

/** Without what the mounted partition itself stands for: its mount, what lies on it, its identity. */
function findUsesBeside(
  partition: string,
  disk: string,
  system: SystemUse,
  holdings: readonly Holding[],
): DiskUse[] {
  const number = system.devices.find(({ name }) => name === partition)?.number;
  const isOther = (mount: Mount): boolean => mount.number !== number && mount.source !== `/dev/${partition}`;
  return findDiskUses(
    disk,
    { ...system, mounts: system.mounts.filter(isOther) },
    holdings.filter((holding) => !('device' in holding) || holding.device !== partition),
  );
}

/**
 * Refuses a disk that holds the image store or the recovery medium, is write-protected, or is in use in any way; the
 * kernel's own claim (O_EXCL) says only "busy" and only when it is too late to plan. Reads only; a disk kept in a file
 * has no users that the kernel knows.
 * @param root of the running system's files
 * @param beside the partition that the recovery was started from: its own use is no reason, everybody else's is
 * @throws RekindleError `target-unfit` with every reason
 */
export async function assertDiskFree(
  devicePath: string,
  holdings: readonly Holding[],
  { root = '/', beside }: { readonly root?: string; readonly beside?: OwnDiskMedium | undefined } = {},
): Promise<void> {
  const stat = statSync(devicePath);
  if (!stat.isBlockDevice()) return;
  const system = await readSystemUse();
  const number = `${(stat.rdev >> 8) & 0xfff}:${(stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00)}`;
  const device = system.devices.find((each) => each.number === number);
  if (device === undefined) {
    throw new RekindleError(
      'target-unfit',
      `Looking at what uses ${devicePath}: the kernel does not list it`,
      {
        next: 'Check that the disk is still attached.',
      },
    );
  }
  const all = [...holdings, ...(await mediumHoldings(root))];
  const uses =
    beside?.disk === `/dev/${device.name.replaceAll('!', '/')}`
      ? findUsesBeside(beside.device, device.name, system, all)
      : findDiskUses(device.name, system, all);
  const [first] = uses;
  if (first === undefined) return;
  throw new RekindleError('target-unfit', `Looking at what uses ${devicePath}`, {
    cause: new Error(`${uses.map(({ sentence }) => sentence).join('; ')}. Nothing was written.`),
    next: first.next,
    details: { uses: uses.map(({ kind }) => kind) },
  });
}
