import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import { openDisk } from '#images/block-device/disk-handle.ts';
import { parseBlkid } from '#images/capture/identify-file-system.ts';
import { matchPassportDisks, type SourceDisk } from '#images/capture/match-passport-disk.ts';
import { type Partition, parsePartitionTable } from '#images/format/partition-table/partition-table.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { assertDiskFree } from '#runtime/block/assert-disk-free.ts';
import type { FatPartition } from './fat-partition.ts';

export interface OwnDiskPartition extends FatPartition {
  readonly partition: Partition;
  /** FAT's volume number as blkid writes it: `1A2B-3C4D`. */
  readonly fileSystemUuid: string;
}

/**
 * The partition of a station's own disk that is to hold its recovery: the disk is recognised as for a capture, in
 * use by nobody, and can be written; the partition has a FAT file system already.
 * @throws RekindleError `target-unfit`
 */
export async function findOwnDiskPartition(
  source: SourceDisk,
  number: number,
  station: { readonly name: string; readonly passport: HardwarePassport },
): Promise<OwnDiskPartition> {
  const { path } = source;
  matchPassportDisks([source], station.passport);
  const doing = `Installing the recovery of ${station.name} into partition ${number} of ${path}`;
  const refuse = (why: string, next: string): never => {
    throw new RekindleError('target-unfit', doing, { cause: new Error(why), next });
  };
  await assertDiskFree(path, []);
  await access(path, constants.W_OK).catch(() =>
    refuse('the disk cannot be written', 'Remove the write protection, or run this as root.'),
  );
  // A device that is set read-only is named by this.
  openDisk(path, { write: true }).close();
  const partition = readPartition(path, number);
  if (partition === undefined) return refuse('there is no such partition', `See sgdisk --print ${path}.`);
  const words = ['--probe', '--output', 'export', '--offset', String(partition.startByte)];
  const found = await runTool(doing, blkid, [...words, '--size', String(partition.sizeBytes), path]).catch(
    () => '',
  );
  const uuid = /^UUID=([0-9A-F]{4}-[0-9A-F]{4})$/m.exec(found)?.[1];
  if (parseBlkid(found)?.type !== 'vfat' || uuid === undefined) {
    return refuse(
      'it has no FAT file system',
      'Choose the EFI system partition, or make one that is kept for this: mkfs.vfat -n REKINDLE.',
    );
  }
  return { disk: path, startByte: partition.startByte, partition, fileSystemUuid: uuid };
}

function readPartition(path: string, number: number): Partition | undefined {
  const disk = openDisk(path);
  try {
    return parsePartitionTable(disk).partitions.find((each) => each.number === number);
  } finally {
    disk.close();
  }
}

const blkid = { command: 'blkid', debianPackage: 'util-linux' };
