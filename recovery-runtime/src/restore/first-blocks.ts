import fs from 'node:fs';
import { allocateDirectBuffer } from '#images/block-device/direct-buffer.ts';
import { type DiskHandle, readFully, writeFully } from '#images/block-device/disk-handle.ts';
import { type ByteRange, endOf } from '#images/format/chunk-grid.ts';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { forgetCache } from './forget-cache.ts';
import type { HeldBack, Piece } from './held-back.ts';
import { formatInterruptedRestore, noteBytes, noteOffset } from './interrupted-restore.ts';
import { diskFailed, type Position, readBackDiffers } from './restore-errors.ts';
import type { RestorePlan } from './restore-plan.ts';

/**
 * The blocks that make firmware, boot loader and kernel take a disk for complete. They go first and come back
 * last, every step flushed before the next, so that a half-restored disk never looks finished.
 */

/** Writes through a buffered descriptor of its own: these are few blocks of any length. */
function withBuffered<T>(disk: DiskHandle, use: (fd: number) => T): T {
  const fd = fs.openSync(disk.path, 'r+');
  try {
    return use(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function writeFlushed(disk: DiskHandle, position: Position, pieces: readonly Piece[]): void {
  withBuffered(disk, (fd) => {
    for (const piece of pieces) {
      try {
        writeFully(fd, piece.bytes, piece.startByte);
      } catch (cause) {
        throw diskFailed('Writing', position, placeOf(piece), cause);
      }
    }
    flush(fd, position, spanOf(pieces));
  });
}

const placeOf = ({ startByte, bytes }: Piece): ByteRange => ({ startByte, sizeBytes: bytes.length });

function spanOf(pieces: readonly Piece[]): ByteRange {
  const startByte = Math.min(...pieces.map((piece) => piece.startByte));
  return { startByte, sizeBytes: Math.max(...pieces.map((piece) => endOf(placeOf(piece)))) - startByte };
}

/** @param written since the last flush: what is lost if this one fails */
export function flush(fd: number, position: Position, written: ByteRange): void {
  try {
    fs.fsyncSync(fd);
  } catch (cause) {
    throw diskFailed('Flushing', position, written, cause);
  }
}

/**
 * The note comes before the table goes: a cut in between finds either a readable table or the note.
 * The end of the disk is cleared where a backup GPT of the old or the new layout may lie.
 */
export function clearFirstBlocks(
  plan: RestorePlan,
  disk: DiskHandle,
  held: HeldBack,
  position: Position,
): void {
  const zeros = (startByte: number, sizeBytes: number): Piece => ({
    startByte,
    bytes: Buffer.alloc(sizeBytes),
  });
  for (const { startByte, bytes, hasNote } of held.heads) {
    const headBytes = Math.min(bytes.length, plan.target.sizeBytes - startByte);
    if (!hasNote) {
      writeFlushed(disk, position, [zeros(startByte, headBytes)]);
      continue;
    }
    // A volume of its own keeps no other: what its note says is that it is half restored.
    const kept = plan.extent === 'disk' ? plan.kept : [];
    const note = { startByte: startByte + noteOffset, bytes: formatInterruptedRestore({ kept }) };
    const noteEnd = noteOffset + noteBytes;
    writeFlushed(disk, position, [note]);
    // A disk that loses it would lose the data volumes with the table.
    assertOnMedium(disk, note, position);
    writeFlushed(disk, position, [
      zeros(startByte, noteOffset),
      zeros(startByte + noteEnd, headBytes - noteEnd),
    ]);
  }
  const backupBytes = backupGptBytes(plan);
  const tail = held.tail.map((piece) => zeros(piece.startByte, piece.bytes.length));
  const lastBlocks = backupBytes === 0 ? [] : [zeros(plan.target.sizeBytes - backupBytes, backupBytes)];
  if (tail.length + lastBlocks.length > 0) writeFlushed(disk, position, [...tail, ...lastBlocks]);
}

/** A backup GPT of 128 entries, unless the last blocks belong to a volume or to an image without GPT. */
function backupGptBytes(plan: RestorePlan): number {
  if (plan.extent === 'volumes') return 0;
  if (plan.backupStartByte === null && plan.relocated === null) return 0;
  const { sizeBytes, logicalSectorBytes } = plan.target;
  const bytes = logicalSectorBytes + 128 * 128;
  const reached = [...plan.restored, ...plan.kept].some(
    (range) => range.kind === 'volume' && range.startByte + range.sizeBytes > sizeBytes - bytes,
  );
  return reached ? 0 : bytes;
}

/**
 * Backup GPT, then everything behind the sectors that make disk or volume valid, then these, and at the very end
 * what lies under the note: until the table stands, the note says which volumes are to survive.
 */
export function writeFirstBlocks(
  plan: RestorePlan,
  disk: DiskHandle,
  held: HeldBack,
  position: Position,
): void {
  if (held.tail.length > 0) writeFlushed(disk, position, held.tail);
  for (const { startByte, bytes, hasNote } of held.heads) {
    const piece = (from: number, to: number): Piece => ({
      startByte: startByte + from,
      bytes: bytes.subarray(from, to),
    });
    // LBA 0 and 1 of a disk; of a volume all before the note: boot record and superblock.
    const validBytes = plan.extent === 'disk' ? 2 * disk.sectorBytes : noteOffset;
    // Two sectors of 4 KiB reach into the note: the table ends where the note begins.
    const validEnd = Math.min(validBytes, hasNote ? noteOffset : bytes.length);
    if (!hasNote) {
      writeFlushed(disk, position, [piece(validEnd, bytes.length)]);
      writeFlushed(disk, position, [piece(0, validEnd)]);
      continue;
    }
    const noteEnd = noteOffset + noteBytes;
    writeFlushed(disk, position, [piece(validEnd, noteOffset), piece(noteEnd, bytes.length)]);
    writeFlushed(disk, position, [piece(0, validEnd)]);
    writeFlushed(disk, position, [piece(noteOffset, noteEnd)]);
  }
}

/** @throws RekindleError `verification-failed` @returns bytes read back */
export function readBackFirstBlocks(disk: DiskHandle, held: HeldBack, position: Position): number {
  let bytes = 0;
  for (const piece of [...held.tail, ...held.heads]) {
    assertOnMedium(disk, piece, position);
    bytes += piece.bytes.length;
  }
  return bytes;
}

/** @throws RekindleError `verification-failed` */
function assertOnMedium(disk: DiskHandle, piece: Piece, position: Position): void {
  const found = readFromMedium(disk, piece, position);
  if (found.equals(piece.bytes)) return;
  const chunk = { startByte: piece.startByte, sizeBytes: piece.bytes.length, id: chunkIdOf(piece.bytes) };
  throw readBackDiffers(position, chunk, chunkIdOf(found));
}

/** Past the page cache where the disk allows it, else after dropping it. */
function readFromMedium(disk: DiskHandle, piece: Piece, position: Position): Buffer {
  forgetCache(disk);
  try {
    if (!disk.direct) {
      const found = Buffer.alloc(piece.bytes.length);
      withBuffered(disk, (fd) => readFully(fd, found, piece.startByte));
      return found;
    }
    const { sectorBytes } = disk;
    const from = Math.floor(piece.startByte / sectorBytes) * sectorBytes;
    const to = Math.ceil((piece.startByte + piece.bytes.length) / sectorBytes) * sectorBytes;
    const buffer = allocateDirectBuffer(disk.fd, disk.sizeBytes, to - from);
    if (buffer === null) throw new Error(`no memory that ${disk.path} accepts for unbuffered access`);
    readFully(disk.fd, buffer, from);
    return buffer.subarray(piece.startByte - from, piece.startByte - from + piece.bytes.length);
  } catch (cause) {
    throw diskFailed('Reading', position, placeOf(piece), cause);
  }
}
