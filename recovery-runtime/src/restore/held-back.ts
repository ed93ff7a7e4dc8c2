import type { DiskHandle } from '#images/block-device/disk-handle.ts';
import { endOf, overlaps } from '#images/format/chunk-grid.ts';
import { chunkIdOf, zeroChunkId } from '#images/format/chunk-id.ts';
import { chunkAt, type IndexChunk } from '#images/format/disk-index.ts';
import type { DiskBytes } from '#images/format/partition-table/disk-bytes.ts';
import type { ChunkSource } from '#images/stores/chunk-store.ts';
import { wrongChunkSize } from './restore-errors.ts';
import type { RestorePlan } from './restore-plan.ts';

/** Bytes for one place on the disk, in the order in which they are written. */
export interface Piece {
  readonly startByte: number;
  readonly bytes: Buffer;
}

export interface Head extends Piece {
  /** The note of an interrupted restore has room in it. */
  readonly hasNote: boolean;
}

export interface HeldBack {
  /** Partition table and boot code from byte 0; or the first blocks of each chosen volume. */
  readonly heads: readonly Head[];
  /** What lies around the end of the disk, the backup GPT last. */
  readonly tail: readonly Piece[];
  readonly counts: { written: number; alreadyRight: number; fetchedBytes: number };
}

/**
 * Content of the first and last blocks, in memory before anything on the disk is cleared: what the disk
 * already has right is taken from there, the rest from the store.
 */
export async function readHeldBack(
  plan: RestorePlan,
  disk: DiskHandle,
  source: ChunkSource,
): Promise<HeldBack> {
  const counts = { written: 0, alreadyRight: 0, fetchedBytes: 0 };
  const load = async (number: number): Promise<Piece> => {
    const chunk = chunkAt(plan.index, number);
    const { startByte } = chunk;
    const found = readIfRight(plan, disk, chunk);
    if (found !== null) {
      counts.alreadyRight++;
      return { startByte, bytes: found };
    }
    counts.written++;
    if (chunk.id === zeroChunkId(chunk.sizeBytes, plan.index.digest))
      return { startByte, bytes: Buffer.alloc(chunk.sizeBytes) };
    const plain = await source.get(chunk.id);
    if (plain.length !== chunk.sizeBytes) throw wrongChunkSize(chunk, plain.length, source.description);
    counts.fetchedBytes += plain.length;
    return { startByte, bytes: Buffer.from(plain) };
  };

  const heads: Head[] = [];
  for (const { startByte, chunks, hasNote } of plan.heldBack.heads) {
    const pieces: Piece[] = [];
    for (const number of chunks) pieces.push(await load(number));
    heads.push({ startByte, hasNote, bytes: Buffer.concat(pieces.map(({ bytes }) => bytes)) });
  }
  const tail: Piece[] = [];
  for (const number of plan.heldBack.tail) tail.push(await load(number));
  const { relocated } = plan;
  if (relocated === null) return { heads, tail, counts };
  heads[0]?.bytes.set(relocated.primary, 0);
  return { heads, tail: moveBackupGpt(plan, relocated, tail), counts };
}

/** The disk as it will be when these pieces are on it. */
export function withPieces(disk: DiskBytes, pieces: readonly Piece[]): DiskBytes {
  return {
    sizeBytes: disk.sizeBytes,
    sectorBytes: disk.sectorBytes,
    read(offset, length) {
      const bytes = Buffer.from(disk.read(offset, length));
      for (const { startByte, bytes: piece } of pieces) {
        if (!overlaps({ startByte, sizeBytes: piece.length }, { startByte: offset, sizeBytes: length }))
          continue;
        const from = Math.max(startByte, offset);
        piece.copy(bytes, from - offset, from - startByte);
      }
      return bytes;
    },
  };
}

function readIfRight(plan: RestorePlan, disk: DiskHandle, chunk: IndexChunk): Buffer | null {
  if (endOf(chunk) > disk.sizeBytes) return null;
  let bytes: Buffer;
  try {
    bytes = Buffer.from(disk.read(chunk.startByte, chunk.sizeBytes));
  } catch {
    // A sector that cannot be read is not right; writing it decides whether the disk is usable.
    return null;
  }
  return chunkIdOf(bytes, plan.index.digest) === chunk.id ? bytes : null;
}

/** The image's own backup GPT becomes zeros, pieces end with the disk, and the moved one is written last. */
function moveBackupGpt(
  plan: RestorePlan,
  gpt: NonNullable<RestorePlan['relocated']>,
  pieces: readonly Piece[],
): Piece[] {
  const moved: Piece = { startByte: gpt.backupStartByte, bytes: Buffer.from(gpt.backup) };
  const movedRange = { startByte: moved.startByte, sizeBytes: moved.bytes.length };
  const fitted = pieces.map(({ startByte, bytes }) => {
    const fit = Buffer.from(bytes.subarray(0, plan.target.sizeBytes - startByte));
    if (plan.backupStartByte !== null) fit.fill(0, Math.max(0, plan.backupStartByte - startByte));
    if (overlaps(movedRange, { startByte, sizeBytes: fit.length })) {
      const from = Math.max(startByte, moved.startByte);
      moved.bytes.copy(fit, from - startByte, from - moved.startByte);
    }
    return { startByte, bytes: fit };
  });
  return [...fitted, moved];
}
