import { type ByteRange, overlaps } from '#images/format/chunk-grid.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import type { Partition } from '#images/format/partition-table/partition-table.ts';

/**
 * Partitions that are on the disk now, that the image knows nothing of, and that the restore writes over: made
 * after the capture, or of somebody else's disk in the station's place. Nobody may lose them unseen. Pure.
 */
export function findLostPartitions(
  present: readonly Partition[],
  image: Pick<ImageDisk, 'volumes'>,
  restored: readonly ByteRange[],
): Partition[] {
  return present.filter(
    (partition) =>
      !image.volumes.some((volume) => isSamePartition(volume, partition)) &&
      restored.some((range) => overlaps(range, partition)),
  );
}

/** A GPT partition by its GUID, wherever it lies; an MBR one, which has no name, by its start and type. */
function isSamePartition(volume: ImageDisk['volumes'][number], partition: Partition): boolean {
  if (volume.partitionGuid !== undefined || partition.partitionGuid !== undefined)
    return volume.partitionGuid === partition.partitionGuid;
  return volume.startByte === partition.startByte && volume.partitionType === partition.partitionType;
}

/** `partition 4 "ARCHIVE"` */
export function describePartition({ number, name }: Partition): string {
  return `partition ${number}${name === '' ? '' : ` "${name}"`}`;
}
