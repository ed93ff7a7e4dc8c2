import { RekindleError } from '#base/errors.ts';

/** A run of bytes on a disk. */
export interface ByteRange {
  readonly startByte: number;
  readonly sizeBytes: number;
}

export const chunkBytes = 1 << 20;

export const endOf = (range: ByteRange): number => range.startByte + range.sizeBytes;

export const overlaps = (a: ByteRange, b: ByteRange): boolean =>
  a.startByte < endOf(b) && b.startByte < endOf(a);

/** @throws RekindleError `target-unfit`: partitions overlap or leave the disk */
export function assertPartitionsFit(sizeBytes: number, partitions: readonly ByteRange[]): void {
  let at = 0;
  for (const partition of inOrder(partitions)) {
    if (partition.startByte < at || endOf(partition) > sizeBytes) {
      throw new RekindleError(
        'target-unfit',
        `Dividing the disk into chunks: the partition at bytes ${partition.startByte} to ${endOf(partition)} ` +
          (partition.startByte < at
            ? `overlaps the one before it, which ends at ${at}`
            : `leaves the disk of ${sizeBytes} bytes`),
        { next: 'Put the partition table right (sgdisk --verify names what is wrong), then capture again.' },
      );
    }
    at = endOf(partition);
  }
}

/**
 * Ends of the chunks of a disk, ascending, the last one being `sizeBytes`. The grid starts again at every
 * partition's start and is cut at every partition's end: equal partitions give equal chunks wherever they
 * lie, and a chunk belongs to one partition or one gap, so a partition can be left alone.
 * @throws RekindleError `target-unfit`: partitions overlap or leave the disk
 */
export function planChunkGrid(sizeBytes: number, partitions: readonly ByteRange[]): Float64Array {
  assertPartitionsFit(sizeBytes, partitions);
  const ends: number[] = [];
  const fill = (from: number, to: number): void => {
    for (let end = from + chunkBytes; end < to; end += chunkBytes) ends.push(end);
    if (to > from) ends.push(to);
  };
  let at = 0;
  for (const partition of inOrder(partitions)) {
    fill(at, partition.startByte);
    fill(partition.startByte, endOf(partition));
    at = endOf(partition);
  }
  fill(at, sizeBytes);
  return Float64Array.from(ends);
}

const inOrder = (partitions: readonly ByteRange[]): ByteRange[] =>
  [...partitions].sort((a, b) => a.startByte - b.startByte);
