import { type ByteRange, endOf, overlaps } from '#images/format/chunk-grid.ts';
import { chunkAt, chunkCount, chunkNumberAt, type DiskIndex } from '#images/format/disk-index.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import type { RelocatedGpt } from '#images/format/partition-table/relocate-backup-gpt.ts';
import { backupStart, tableBytes } from './disk-fit.ts';
import { noteBytes, noteOffset } from './interrupted-restore.ts';
import type { HeldBackHead, PlannedRange, RestorePlan, RestoreRefused } from './restore-plan.ts';

/** Chunk numbers by who writes them: worker threads, or the last steps of the restore. */
export type ChunkZones = Pick<RestorePlan, 'chunks' | 'heldBack' | 'totalBytes'>;

/** Superblocks of all file systems that we know begin within that (btrfs at 64 KiB is the farthest). */
const volumeHeadBytes = 128 << 10;

/** For a whole disk: everything but the kept ranges. */
export function divideChunks(
  disk: ImageDisk,
  index: DiskIndex,
  targetBytes: number,
  gpt: RelocatedGpt | null,
  kept: readonly PlannedRange[],
): ChunkZones | RestoreRefused {
  const headEnd = Math.max(tableBytes(disk.partitionTable.primary), noteOffset);
  const tailFrom = Math.min(
    backupStart(disk) ?? disk.sizeBytes,
    targetBytes,
    gpt?.backupStartByte ?? disk.sizeBytes,
  );
  const count = chunkCount(index);
  const chunks = new Uint32Array(count);
  const head: number[] = [];
  const tail: number[] = [];
  let used = 0;
  let totalBytes = 0;
  for (let number = 0; number < count; number++) {
    const chunk = chunkAt(index, number);
    if (chunk.startByte >= targetBytes) break;
    const touched = kept.find((range) => overlaps(range, chunk));
    if (touched !== undefined) {
      if (chunk.startByte >= touched.startByte && endOf(chunk) <= endOf(touched)) continue;
      return acrossEdge(number, chunk, touched);
    }
    totalBytes += Math.min(endOf(chunk), targetBytes) - chunk.startByte;
    if (chunk.startByte < headEnd) head.push(number);
    else if (endOf(chunk) > tailFrom) tail.push(number);
    else chunks[used++] = number;
  }
  const isFree = !kept.some((range) => range.startByte < noteOffset + noteBytes);
  const heads = [headOf(index, 0, head, isFree)];
  return { chunks: chunks.slice(0, used), heldBack: { heads, tail }, totalBytes };
}

/** For chosen volumes: their chunks, each with a head of its own; nothing else of the disk. */
export function volumeChunks(
  index: DiskIndex,
  volumes: readonly PlannedRange[],
): ChunkZones | RestoreRefused {
  const chunks: number[] = [];
  const heads: HeldBackHead[] = [];
  let totalBytes = 0;
  for (const volume of volumes.toSorted((a, b) => a.startByte - b.startByte)) {
    const head: number[] = [];
    for (let number = chunkNumberAt(index, volume.startByte); number < chunkCount(index); number++) {
      const chunk = chunkAt(index, number);
      if (chunk.startByte >= endOf(volume)) break;
      if (chunk.startByte < volume.startByte || endOf(chunk) > endOf(volume))
        return acrossEdge(number, chunk, volume);
      totalBytes += chunk.sizeBytes;
      if (chunk.startByte < volume.startByte + volumeHeadBytes) head.push(number);
      else chunks.push(number);
    }
    heads.push(headOf(index, volume.startByte, head, true));
  }
  return { chunks: Uint32Array.from(chunks), heldBack: { heads, tail: [] }, totalBytes };
}

function headOf(
  index: DiskIndex,
  startByte: number,
  chunks: readonly number[],
  isFree: boolean,
): HeldBackHead {
  const last = chunks.at(-1);
  const noteEnd = startByte + noteOffset + noteBytes;
  return {
    startByte,
    chunks,
    hasNote: isFree && last !== undefined && endOf(chunkAt(index, last)) >= noteEnd,
  };
}

function acrossEdge(number: number, chunk: ByteRange, range: PlannedRange): RestoreRefused {
  return {
    kind: 'refused',
    reason: 'unusable-image',
    sentence: `Chunk ${number} at bytes ${chunk.startByte} to ${endOf(chunk)} lies across the edge of ${range.what}, and what is beyond that edge may not be touched.`,
    next: 'Restore onto a new disk, or use an image whose chunks are cut at partitions.',
  };
}
