import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { compressInPieces } from '#scripts/runtime/compress-in-pieces.ts';

const MiB = 1024 * 1024;
/** Two pieces and a part of one; half of it can be compressed. At low levels pzstd divides each once more. */
const content = Buffer.concat([randomBytes(9 * MiB), Buffer.alloc(9 * MiB, 'rekindle ')]);
const unpack = (tool: string, input: Buffer) =>
  spawnSync(tool, ['-d', '-q', '-c'], { input, maxBuffer: 64 * MiB });

test('pzstd and zstd unpack what was compressed in pieces, each frame behind its length', async () => {
  const progress: number[] = [];
  const compressed = await compressInPieces(content, 1, (done, total) => progress.push(done / total));
  expect(unpack('pzstd', compressed).stdout.equals(content)).toBe(true);
  expect(unpack('zstd', compressed).stdout.equals(content)).toBe(true);
  expect(progress).toHaveLength(3);
  expect(progress.at(-1)).toBe(1);
  expect(compressed.equals(await compressInPieces(content, 1))).toBe(true);

  // RFC 8878, 3.1.2: magic number, size of the field, and in it the length of the frame that follows.
  let frames = 0;
  for (let at = 0; at < compressed.length; frames++) {
    expect(compressed.readUInt32LE(at)).toBe(0x184d2a50);
    expect(compressed.readUInt32LE(at + 4)).toBe(4);
    expect(compressed.readUInt32LE(at + 12)).toBe(0xfd2fb528);
    at += 12 + compressed.readUInt32LE(at + 8);
  }
  expect(frames).toBeGreaterThanOrEqual(3);
});

test('a changed byte is noticed', async () => {
  const compressed = await compressInPieces(content, 1);
  const middle = compressed.length >> 1;
  compressed.writeUInt8(compressed.readUInt8(middle) ^ 1, middle);
  const { status, stderr } = unpack('pzstd', compressed);
  expect(status).not.toBe(0);
  expect(stderr.toString()).toMatch(/checksum|corruption/i);
});
