import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { ByteRange } from '#images/format/chunk-grid.ts';

/**
 * While a restore is under way the disk has no partition table, so nothing on it tells which volumes were to
 * survive. This note does: it lies in the second 4 KiB of the disk, among the first blocks, which are written
 * last and so remove it. Without it a second start on a disk without a serial number would take the disk for
 * a new one and write over the data volumes.
 *
 *      0  "REKINDLE-RESTORE"   16 bytes
 *     16  SHA-256 of all that follows, to the end of the 4096 bytes
 *     48  length of the JSON, u32 little-endian
 *     52  JSON {formatVersion, kept: [{startByte, sizeBytes}]}, then zeros
 */
export interface InterruptedRestore {
  /** Ranges that were to survive; empty when the disk was new. */
  readonly kept: readonly ByteRange[];
}

export const noteOffset = 4096;
export const noteBytes = 4096;

const magic = 'REKINDLE-RESTORE';
const noteSchema = z.strictObject({
  formatVersion: z.literal(1),
  kept: z.array(z.strictObject({ startByte: z.int().nonnegative(), sizeBytes: z.int().positive() })),
});

/** @throws RangeError: more ranges than the 4 KiB hold (about 80) */
export function formatInterruptedRestore(note: InterruptedRestore): Buffer {
  const kept = note.kept.map(({ startByte, sizeBytes }) => ({ startByte, sizeBytes }));
  const json = Buffer.from(JSON.stringify({ formatVersion: 1, kept }));
  if (json.length > noteBytes - 52)
    throw new RangeError(`a note on ${kept.length} kept ranges does not fit into ${noteBytes} bytes`);
  const bytes = Buffer.alloc(noteBytes);
  bytes.write(magic, 'latin1');
  bytes.writeUInt32LE(json.length, 48);
  json.copy(bytes, 52);
  createHash('sha256').update(bytes.subarray(48)).digest().copy(bytes, 16);
  return bytes;
}

/** Null for anything but a complete note: a torn one was never relied on. */
export function parseInterruptedRestore(bytes: Uint8Array): InterruptedRestore | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length !== noteBytes || view.toString('latin1', 0, 16) !== magic) return null;
  if (!createHash('sha256').update(view.subarray(48)).digest().equals(view.subarray(16, 48))) return null;
  const length = view.readUInt32LE(48);
  if (length > noteBytes - 52) return null;
  try {
    const parsed = noteSchema.safeParse(JSON.parse(view.toString('utf8', 52, 52 + length)));
    return parsed.success ? { kept: parsed.data.kept } : null;
  } catch {
    return null;
  }
}
