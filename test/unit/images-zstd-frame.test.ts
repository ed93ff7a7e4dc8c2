import { constants, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { isChunk } from '#images/stores/check-chunks.ts';
import { packChunk, unpackChunk } from '#images/stores/chunk-file.ts';
import { findFrameProblem } from '#images/stores/zstd-frame.ts';

const limit = 128 << 20;

const frame = (...parts: readonly (string | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)));
/** "abc" as one raw block. */
const abc = frame('28b52ffd', '20', '03', '190000', '616263');

test.each([
  ['a raw block', abc],
  ['a run-length block of 300 bytes', frame('28b52ffd', '60', '2c00', '630900', '61')],
  [
    'a window instead of a content size, as a streaming writer leaves it',
    frame('28b52ffd', '00', '58', '190000', '616263'),
  ],
  ['a checksum', frame('28b52ffd', '24', '03', '190000', '616263', '00000000')],
  ['an empty frame', frame('28b52ffd', '20', '00', '010000')],
  ['two blocks', frame('28b52ffd', '20', '04', '100000', '6162', '110000', '6364')],
])('one frame: %s', (_, bytes) => {
  expect(findFrameProblem(bytes, limit)).toBeNull();
});

test.each([
  ['nothing', Buffer.alloc(0), 'no zstd frame'],
  ['another magic number', frame('29b52ffd', '20', '03', '190000', '616263'), 'no zstd frame'],
  ['the unused bit', frame('28b52ffd', '30', '03', '190000', '616263'), 'bits that mean nothing'],
  ['the reserved bit', frame('28b52ffd', '28', '03', '190000', '616263'), 'bits that mean nothing'],
  ['a dictionary', frame('28b52ffd', '21', '07', '03', '190000', '616263'), 'bits that mean nothing'],
  ['a byte behind', frame(abc, '00'), '1 bytes behind'],
  ['a second frame', frame(abc, abc), 'behind the frame'],
  ['a skippable frame behind', frame(abc, '502a4d1804000000', 'abcdef12'), 'behind the frame'],
  ['no last block', abc.subarray(0, 6), 'cut off'],
  ['half a block', abc.subarray(0, -1), 'cut off'],
  ['a missing checksum', frame('28b52ffd', '24', '03', '190000', '616263'), 'cut off'],
  ['a reserved block type', frame('28b52ffd', '20', '03', '1f0000', '616263'), 'no block at byte 6'],
  [
    'a content size beyond the limit',
    frame('28b52ffd', 'e0', '0000000001000000', '190000', '616263'),
    'more than the 134217728',
  ],
])('not one frame: %s', (_, bytes, problem) => {
  expect(findFrameProblem(bytes, limit)).toContain(problem);
});

test('what we and others pack passes, with and without a checksum', () => {
  const plain = Buffer.from('the same line again and again\n'.repeat(30_000));
  const checked = zstdCompressSync(plain, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  for (const file of [packChunk(plain), checked]) {
    expect(Buffer.from(unpackChunk(chunkIdOf(plain), file, 'here')).equals(plain)).toBe(true);
  }
});

test('a second frame whose content is empty does not pass unnoticed', () => {
  const plain = Buffer.from('content');
  const twice = Buffer.concat([packChunk(plain), packChunk(Buffer.alloc(0))]);
  expect(() => unpackChunk(chunkIdOf(plain), twice, 'here')).toThrow(/no chunk file: 9 bytes behind/);
});

test('what a reader would refuse, the service does not take in', async () => {
  const plain = Buffer.from('content');
  expect(await isChunk(chunkIdOf(plain), packChunk(plain))).toBe(true);
  expect(await isChunk(chunkIdOf(plain), Buffer.concat([packChunk(plain), Buffer.alloc(1)]))).toBe(false);
});
