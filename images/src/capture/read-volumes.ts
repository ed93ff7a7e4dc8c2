import type { DiskHandle } from '../block-device/disk-handle.ts';
import { assertPartitionsFit, type ByteRange } from '../format/chunk-grid.ts';
import type { Volume } from '../format/image-manifest.ts';
import type { Partition } from '../format/partition-table/partition-table.ts';
import { type FileSystem, identifyFileSystem } from './identify-file-system.ts';
import { findUsedBlocks, type UsedBlocks } from './used-blocks.ts';
import { readVolumeState, type VolumeState } from './volume-state.ts';

export interface VolumeToCapture {
  readonly volume: Volume;
  /** Unused ranges, counted from the disk's start, and those whose content is worth nothing. */
  readonly unused: readonly ByteRange[];
  /** What is odd about it, a sentence each. */
  readonly warnings: readonly string[];
}

export interface FoundVolume {
  readonly partition: Partition;
  readonly fileSystem: FileSystem | null;
  readonly state: VolumeState;
}

/** What is on the partitions of a disk, without its used blocks. @throws RekindleError `target-unfit` */
export async function findVolumes(
  disk: DiskHandle,
  partitions: readonly Partition[],
): Promise<FoundVolume[]> {
  assertPartitionsFit(disk.sizeBytes, partitions);
  const found: FoundVolume[] = [];
  for (const partition of partitions) {
    const identified = await identifyFileSystem(disk.path, partition);
    const read = (offset: number, length: number): Uint8Array => {
      if (offset + length > partition.sizeBytes)
        throw new RangeError(`byte ${offset + length} lies behind the volume's end`);
      return disk.read(partition.startByte + offset, length);
    };
    // blkid wants whole metadata behind it; the boot sector is enough to leave the volume alone.
    const encrypted = Buffer.from(read(0, 512)).toString('latin1', 3, 11) === '-FVE-FS-';
    const fileSystem = encrypted ? { type: 'BitLocker', label: identified?.label } : identified;
    const state = readVolumeState(read, partition.sizeBytes, fileSystem?.type);
    found.push({ partition, fileSystem, state });
  }
  return found;
}

export interface ReadVolumesOptions {
  /** Partition names or labels of the volumes that survive a restore. */
  readonly dataVolumes: readonly string[];
  /** Another disk of the station holds a hibernated Windows. */
  readonly hibernatedElsewhere: boolean;
}

export async function readVolumes(
  disk: DiskHandle,
  partitions: readonly Partition[],
  { dataVolumes, hibernatedElsewhere }: ReadVolumesOptions,
): Promise<VolumeToCapture[]> {
  const volumes = await findVolumes(disk, partitions);
  // A hibernated Windows has pages in every page file that it uses, on whatever volume.
  const hibernated = hibernatedElsewhere || volumes.some(({ state }) => state.hibernated);
  const found: VolumeToCapture[] = [];
  for (const each of volumes) {
    const { partition, fileSystem, state } = each;
    const blocks = await usedBlocksOf(disk, each);
    const worthless = hibernated || blocks.kind === 'all-blocks' ? [] : state.worthless;
    const unused = blocks.kind === 'used-blocks' ? blocks.unused : [];
    const isData = dataVolumes.some((name) => name === partition.name || name === fileSystem?.label);
    const reason =
      blocks.kind === 'all-blocks'
        ? blocks.reason
        : worthless.length > 0
          ? `contents of ${worthless.map(({ name }) => name).join(', ')} count as zeros`
          : undefined;
    found.push({
      volume: {
        ...partition,
        ...(fileSystem === null ? {} : { fileSystem: fileSystem.type }),
        ...(fileSystem?.label === undefined ? {} : { label: fileSystem.label }),
        usedBytes: partition.sizeBytes - sumOf(unused),
        capturedAs: blocks.kind,
        ...(reason === undefined ? {} : { reason }),
        role: isData ? 'data' : 'system',
      },
      unused: [...unused, ...worthless.flatMap(({ ranges }) => ranges)].map((range) => ({
        startByte: partition.startByte + range.startByte,
        sizeBytes: range.sizeBytes,
      })),
      warnings: warningsOf(each),
    });
  }
  return found;
}

async function usedBlocksOf(
  disk: DiskHandle,
  { partition, fileSystem, state }: FoundVolume,
): Promise<UsedBlocks> {
  if (state.unsound !== undefined) return { kind: 'all-blocks', reason: state.unsound };
  if (state.unused !== undefined) return { kind: 'used-blocks', unused: state.unused };
  return findUsedBlocks(disk, partition, fileSystem?.type);
}

function warningsOf({ partition, fileSystem, state }: FoundVolume): string[] {
  const name = [partition.name, fileSystem?.label].find((each) => each !== undefined && each !== '');
  const volume = `volume ${partition.number}${name === undefined ? '' : ` (${name})`}`;
  if (state.hibernated)
    return [
      `${volume}: Windows is hibernated in it, as Fast Startup leaves it at every shutdown. Restored, it resumes what ran then. Restart Windows instead of shutting it down, or switch this off (powercfg /h off), then capture again`,
    ];
  if (state.unsound !== undefined) return [`${volume}: ${state.unsound}; all of its blocks are taken`];
  if (fileSystem?.type === 'BitLocker')
    return [
      `${volume}: it is encrypted by BitLocker; all of its blocks are taken. After a change of board or TPM only the recovery key opens it`,
    ];
  return [];
}

const sumOf = (ranges: readonly ByteRange[]): number =>
  ranges.reduce((sum, range) => sum + range.sizeBytes, 0);
