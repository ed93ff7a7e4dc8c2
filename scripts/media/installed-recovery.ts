import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import { ticketFile } from '#contract/station-ticket.ts';
import { openDisk } from '#images/block-device/disk-handle.ts';
import { parseBlkid } from '#images/capture/identify-file-system.ts';
import { parsePartitionTable } from '#images/format/partition-table/partition-table.ts';
import { type FatPartition, listFat } from './fat-partition.ts';
import { findDataPartition } from './write-usb-image.ts';

const blkid = { command: 'blkid', debianPackage: 'util-linux' };

/** A FAT file system that holds a station ticket, and is no part of a medium that was built as a whole. */
export interface InstalledRecovery extends FatPartition {
  /** FAT's volume number as blkid writes it: `1A2B-3C4D`; '' without one. */
  readonly fileSystemUuid: string;
  /** All paths in it (fat-partition.ts). */
  readonly paths: readonly string[];
}

/**
 * @param file a partition, a disk, or a file of either
 * @returns nothing for a medium that was built, and for what is none at all
 * @throws RekindleError `usage`: there is more than one
 */
export async function findInstalledRecovery(file: string): Promise<InstalledRecovery | undefined> {
  const whole = await readFat({ disk: file, startByte: 0 });
  if (whole !== 'none') return whole === 'other' ? undefined : whole;
  if (findDataPartition(file) !== undefined) return undefined;
  const found: { readonly number: number; readonly recovery: InstalledRecovery }[] = [];
  for (const { number, startByte, sizeBytes } of partitionsOf(file)) {
    const recovery = await readFat({ disk: file, startByte }, sizeBytes);
    if (recovery !== 'none' && recovery !== 'other') found.push({ number, recovery });
  }
  const [first, ...more] = found;
  if (more.length === 0) return first?.recovery;
  throw new RekindleError(
    'usage',
    `Looking for the recovery in ${file}: there is one in each of the partitions ${found.map(({ number }) => number).join(', ')}`,
    { next: 'Name the device of the partition, e.g. /dev/sda4.' },
  );
}

/** `none`: no FAT; `other`: one without a ticket. */
async function readFat(
  partition: FatPartition,
  sizeBytes?: number,
): Promise<InstalledRecovery | 'none' | 'other'> {
  const { disk, startByte } = partition;
  const doing = `Looking for the recovery in ${disk}`;
  const size = sizeBytes === undefined ? [] : ['--size', String(sizeBytes)];
  const words = ['--probe', '--output', 'export', '--offset', String(startByte), ...size, disk];
  const { status, stdout } = await callTool(doing, blkid, words);
  const text = stdout.toString();
  if (status !== 0 || parseBlkid(text)?.type !== 'vfat') return 'none';
  const paths = await listFat(partition);
  if (!paths.includes(ticketFile)) return 'other';
  return { ...partition, fileSystemUuid: /^UUID=(.*)$/m.exec(text)?.[1] ?? '', paths };
}

function partitionsOf(file: string) {
  const disk = openDisk(file);
  try {
    return parsePartitionTable(disk).partitions;
  } finally {
    disk.close();
  }
}
