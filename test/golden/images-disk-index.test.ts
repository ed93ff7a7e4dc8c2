import { describe, expect, test } from 'vitest';
import { RekindleError } from '#base/errors.ts';
import {
  chunkAt,
  chunkCount,
  chunkNumberAt,
  diskBytes,
  formatDiskIndex,
  parseDiskIndex,
} from '#images/format/disk-index.ts';

/** Made by Debian's `casync make --digest=sha256 --chunk-size=64:1024:2048` from 3304 bytes. */
const byCasync = Buffer.from(
  '3000000000000000f99f127b9c4d8296' +
    '0000000000000090' +
    '400000000000000000040000000000000008000000000000' +
    'ffffffffffffffff7d41172f119e5be7' +
    '0008000000000000f5e90233554c1529d3052c924543f0363a08f160c6ae1c6126ccde86d3e71e2b' +
    'e80c00000000000052491654612d215f711d926b742a4d282761f663a5e91c5c6512e106f14d99e7' +
    '0000000000000000000000000000000030000000000000008800000000000000d1ec49550e054f4b',
  'hex',
);
/** The same bytes by `casync make`: its own chunk sizes and SHA-512/256. */
const bySha512256 = Buffer.from(
  '3000000000000000f99f127b9c4d8296' +
    '00000000000000b0' +
    '004000000000000000000100000000000000040000000000' +
    'ffffffffffffffff7d41172f119e5be7' +
    'e80c000000000000fbc606965541c3e25dfd61803aa29ef98bbba5be2257cdc3c07a74541b8337f6' +
    '0000000000000000000000000000000030000000000000006000000000000000d1ec49550e054f4b',
  'hex',
);

const refusal = (bytes: Uint8Array): string => {
  try {
    parseDiskIndex(bytes, 'station.caibx');
  } catch (error) {
    if (error instanceof RekindleError && error.code === 'verification-failed') return error.message;
    throw error;
  }
  return 'accepted';
};
const changed = (change: (bytes: Buffer) => void): Buffer => {
  const bytes = Buffer.from(byCasync);
  change(bytes);
  return bytes;
};

describe('an index made by casync', () => {
  test('is read: sizes, chunks, digest', () => {
    const index = parseDiskIndex(byCasync, 'station.caibx');
    expect(index).toMatchObject({
      digest: 'sha256',
      chunkSizeMin: 64,
      chunkSizeAvg: 1024,
      chunkSizeMax: 2048,
    });
    expect([chunkCount(index), diskBytes(index)]).toEqual([2, 3304]);
    expect(chunkAt(index, 1)).toEqual({
      startByte: 2048,
      sizeBytes: 1256,
      id: '52491654612d215f711d926b742a4d282761f663a5e91c5c6512e106f14d99e7',
    });
    expect([0, 2047, 2048, 3303, 3304].map((byte) => chunkNumberAt(index, byte))).toEqual([0, 0, 1, 1, 2]);
    expect(parseDiskIndex(bySha512256, 'station.caibx').digest).toBe('sha512-256');
  });

  test('is written again byte for byte', () => {
    expect(Buffer.from(formatDiskIndex(parseDiskIndex(byCasync, 'x'))).equals(byCasync)).toBe(true);
    expect(Buffer.from(formatDiskIndex(parseDiskIndex(bySha512256, 'x'))).equals(bySha512256)).toBe(true);
  });
});

describe('a damaged index is refused with the name of what is wrong', () => {
  test.each([
    ['empty', Buffer.alloc(0), 'cut off'],
    ['without its tail', byCasync.subarray(0, -40), 'the tail'],
    ['cut inside an item', byCasync.subarray(0, -7), 'cut off'],
    ['an archive index', changed((bytes) => bytes.writeUInt8(0, 8)), 'the index type at byte 8'],
    ['another table type', changed((bytes) => bytes.writeUInt8(0, 56)), 'the table type at byte 56'],
    ['a wrong tail marker', changed((bytes) => bytes.writeUInt8(0, bytes.length - 1)), 'the tail marker'],
    [
      'a wrong table size',
      changed((bytes) => bytes.writeUInt8(0, bytes.length - 16)),
      "the tail's table size",
    ],
    ['chunk sizes out of order', changed((bytes) => bytes.writeUInt8(255, 33)), 'not ascending'],
    ['a chunk size beyond the limit', changed((bytes) => bytes.writeUInt8(0x10, 43)), 'not ascending'],
    ['chunks out of order', changed((bytes) => bytes.writeUInt8(0, 64 + 41)), 'not after chunk 0'],
    [
      'a chunk larger than the largest',
      changed((bytes) => bytes.writeUInt8(0x20, 64 + 41)),
      'more than the largest',
    ],
    ['an offset beyond any disk', changed((bytes) => bytes.writeUInt8(0xff, 64 + 47)), 'beyond any disk'],
  ])('%s', (_, bytes, reason) => {
    expect(refusal(bytes)).toContain(reason);
    expect(refusal(bytes)).toContain('station.caibx');
  });

  test('a flipped bit anywhere is refused or read as another index; none crashes', () => {
    const outcomes = { accepted: 0, refused: 0 };
    for (let bit = 0; bit < byCasync.length * 8; bit++) {
      const bytes = changed((each) => each.writeUInt8(each.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3));
      if (refusal(bytes) === 'accepted') {
        outcomes.accepted++;
        expect(Buffer.from(formatDiskIndex(parseDiskIndex(bytes, 'x'))).equals(bytes)).toBe(true);
      } else outcomes.refused++;
    }
    // Ids, feature flags and the sizes that may vary are content, not structure: the manifest's hash guards them.
    expect(outcomes.refused).toBeGreaterThan(700);
  });
});
