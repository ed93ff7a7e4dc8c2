import { endOf } from '#images/format/chunk-grid.ts';
import type { ImageDisk, Volume } from '#images/format/image-manifest.ts';
import type { PlannedRange } from './restore-plan.ts';

/** What a plan writes and leaves alone, in a technician's words. */

export function rangeOf(volume: Volume, reason: string): PlannedRange {
  return {
    kind: 'volume',
    what: describeVolume(volume),
    startByte: volume.startByte,
    sizeBytes: volume.sizeBytes,
    reason,
  };
}

/** `partition 3 "PROJECTS" (ntfs)` */
export function describeVolume({ number, name, label, fileSystem }: Volume): string {
  const called = name || label;
  return `partition ${number}${called ? ` "${called}"` : ''}${fileSystem ? ` (${fileSystem})` : ''}`;
}

/** Every range of the disk that a restore of the whole disk writes: volumes that are not kept, and the gaps. */
export function restoredRanges(
  disk: ImageDisk,
  keptVolumes: readonly Volume[],
  targetBytes: number,
  reasonOf: (volume: Volume) => string,
): PlannedRange[] {
  const ranges: PlannedRange[] = [];
  const space = (what: string, startByte: number, endByte: number): void => {
    const sizeBytes = Math.min(endByte, targetBytes) - startByte;
    if (sizeBytes > 0)
      ranges.push({ kind: 'space', what, reason: 'belongs to no data volume', startByte, sizeBytes });
  };
  if (disk.volumes.length === 0) {
    space('whole disk, without partitions', 0, disk.sizeBytes);
    return ranges;
  }
  let at = 0;
  for (const volume of [...disk.volumes].sort((a, b) => a.startByte - b.startByte)) {
    space(at === 0 ? 'partition table and boot code' : 'space between partitions', at, volume.startByte);
    if (!keptVolumes.includes(volume)) ranges.push(rangeOf(volume, reasonOf(volume)));
    at = endOf(volume);
  }
  space('space behind the last partition', at, disk.sizeBytes);
  return ranges;
}
