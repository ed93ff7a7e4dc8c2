import type { DiskHandle } from '../block-device/disk-handle.ts';
import type { ByteRange } from '../format/chunk-grid.ts';
import type { Volume } from '../format/image-manifest.ts';
import type { Partition } from '../format/partition-table/partition-table.ts';
import { identifyFileSystem } from './identify-file-system.ts';
import { findUsedBlocks } from './used-blocks.ts';

export interface VolumeToCapture {
  readonly volume: Volume;
  /** Unused ranges, counted from the disk's start. */
  readonly unused: readonly ByteRange[];
}

/** @param dataVolumes partition names or labels of the volumes that survive a restore */
export async function readVolumes(
  disk: DiskHandle,
  partitions: readonly Partition[],
  dataVolumes: readonly string[],
): Promise<VolumeToCapture[]> {
  const found: VolumeToCapture[] = [];
  for (const partition of partitions) {
    const fileSystem = await identifyFileSystem(disk.path, partition);
    const blocks = await findUsedBlocks(disk, partition, fileSystem?.type);
    const unused = blocks.kind === 'used-blocks' ? blocks.unused : [];
    const isData = dataVolumes.some((name) => name === partition.name || name === fileSystem?.label);
    found.push({
      volume: {
        ...partition,
        ...(fileSystem === null ? {} : { fileSystem: fileSystem.type }),
        ...(fileSystem?.label === undefined ? {} : { label: fileSystem.label }),
        usedBytes: partition.sizeBytes - unused.reduce((sum, range) => sum + range.sizeBytes, 0),
        capturedAs: blocks.kind,
        ...(blocks.kind === 'all-blocks' ? { reason: blocks.reason } : {}),
        role: isData ? 'data' : 'system',
      },
      unused: unused.map((range) => ({
        startByte: partition.startByte + range.startByte,
        sizeBytes: range.sizeBytes,
      })),
    });
  }
  return found;
}
