import { randomBytes } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { packChunk, packedBound, unpackChunk } from '#images/stores/chunk-file.ts';
import { openCompressor, openDecompressor } from '#images/stores/zstd-context.ts';

/** The kept zstd context must be there in the pinned Node, and must do what the documented functions do. */

const chunkBytes = 1 << 20;
const noise = randomBytes(chunkBytes);
const text = Buffer.from('a line of a log file, again and again\n'.repeat(30_000)).subarray(0, chunkBytes);
const tail = noise.subarray(0, 4097);

test('a chunk packed into the caller’s memory is what the documented function makes, whatever came before', () => {
  const memory = new Uint8Array(packedBound(chunkBytes));
  for (const plain of [noise, text, tail, Buffer.alloc(0), noise]) {
    const packed = packChunk(plain, memory);
    expect(packed.buffer).toBe(memory.buffer);
    expect(Buffer.from(packed).equals(Buffer.from(packChunk(plain)))).toBe(true);
    expect(zstdDecompressSync(packed).equals(plain)).toBe(true);
  }
});

test('memory too small for the packed chunk: a buffer of its own, complete', () => {
  const packed = packChunk(noise, new Uint8Array(1000));
  expect(zstdDecompressSync(packed).equals(noise)).toBe(true);
});

test('a chunk unpacked into the caller’s memory, and into a buffer of its own where that is too small', () => {
  const memory = new Uint8Array(chunkBytes);
  for (const plain of [noise, text, tail]) {
    const chunkFile = zstdCompressSync(plain);
    const inMemory = unpackChunk(chunkIdOf(plain), chunkFile, 'here', 'sha256', memory);
    expect(inMemory.buffer).toBe(memory.buffer);
    expect(Buffer.from(inMemory).equals(plain)).toBe(true);
    const own = unpackChunk(chunkIdOf(plain), chunkFile, 'here', 'sha256', new Uint8Array(100));
    expect(Buffer.from(own).equals(plain)).toBe(true);
  }
});

test('damage is refused as without the caller’s memory, and the next chunk is not harmed by it', () => {
  const id = chunkIdOf(noise);
  const good = zstdCompressSync(noise);
  const flipped = Buffer.from(good);
  flipped[5000] = (flipped[5000] ?? 0) ^ 4;
  const memory = new Uint8Array(chunkBytes);
  const refusal = (damaged: Uint8Array, into?: Uint8Array): string => {
    try {
      unpackChunk(id, damaged, 'here', 'sha256', into);
      return 'accepted';
    } catch (error) {
      return String(error);
    }
  };
  const damages = [good.subarray(0, -1), good.subarray(0, 10), Buffer.alloc(0), flipped, Buffer.from('none')];
  for (const damaged of damages) {
    expect(refusal(damaged, memory)).toBe(refusal(damaged));
    expect(refusal(damaged, memory)).toContain(id);
    expect(Buffer.from(unpackChunk(id, good, 'here', 'sha256', memory)).equals(noise)).toBe(true);
  }
});

test('the pinned Node has what the kept context needs; bytes behind a frame are no success', () => {
  const into = new Uint8Array(chunkBytes);
  const good = zstdCompressSync(text);
  expect(openCompressor(3)?.run(text, new Uint8Array(packedBound(text.length)))).toBeGreaterThan(0);
  expect(openDecompressor()?.run(good, into)).toBe(text.length);
  expect(openDecompressor()?.run(Buffer.concat([good, Buffer.from('more')]), into)).toBe(null);
  expect(openDecompressor()?.run(Buffer.from('no zstd at all'), into)).toBe(null);
});
