import { RekindleError } from '#base/errors.ts';
import type { ChunkDigest, ChunkId } from './chunk-id.ts';

/**
 * casync's blob index (.caibx): which chunks make up a disk, in order, without gaps. All numbers are
 * little-endian unsigned 64-bit.
 *
 *     0  48                     size of this header
 *     8  0x96824d9c7b129ff9     CA_FORMAT_INDEX
 *    16  feature flags          bit 61: chunk ids are SHA-512/256, else SHA-256
 *    24  chunk size min, avg, max
 *    48  0xffffffffffffffff     size of the table, open
 *    56  0xe75b9e112f17417d     CA_FORMAT_TABLE
 *    64  items of 40 bytes      end of the chunk on the disk, id (32 bytes)
 *   end-40  0, 0, 48, size of the table with its header and tail, 0x4b4f050e5549ecd1
 *
 * Chunks are kept in two flat arrays on shared memory: a disk of 8 TiB has eight million of them, and
 * worker threads read them without a copy.
 */
export interface DiskIndex {
  readonly digest: ChunkDigest;
  readonly featureFlags: bigint;
  readonly chunkSizeMin: number;
  readonly chunkSizeAvg: number;
  readonly chunkSizeMax: number;
  /** End of every chunk on the disk, strictly ascending; the last is the disk's size. */
  readonly ends: Float64Array;
  /** 32 bytes a chunk. */
  readonly ids: Uint8Array;
}

export interface IndexChunk {
  readonly startByte: number;
  readonly sizeBytes: number;
  readonly id: ChunkId;
}

const indexType = 0x96824d9c7b129ff9n;
const tableType = 0xe75b9e112f17417dn;
const tailMarker = 0x4b4f050e5549ecd1n;
const openSize = 0xffffffffffffffffn;
const sha512256Flag = 1n << 61n;
const headerBytes = 48;
const tableHeaderBytes = 16;
const itemBytes = 40;

/** casync's own limit. */
export const chunkSizeLimit = 128 << 20;

export const chunkCount = (index: DiskIndex): number => index.ends.length;
export const diskBytes = (index: DiskIndex): number => index.ends.at(-1) ?? 0;

export function chunkAt(index: DiskIndex, number: number): IndexChunk {
  const end = index.ends[number];
  if (end === undefined) throw new RangeError(`chunk ${number} of ${index.ends.length}`);
  const startByte = number === 0 ? 0 : (index.ends[number - 1] ?? 0);
  const id = Buffer.from(index.ids.buffer, index.ids.byteOffset + number * 32, 32).toString('hex') as ChunkId;
  return { startByte, sizeBytes: end - startByte, id };
}

/** Number of the chunk that holds `byte`; the chunk count when it lies behind the disk's end. */
export function chunkNumberAt(index: DiskIndex, byte: number): number {
  let low = 0;
  for (let high = index.ends.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((index.ends[middle] ?? 0) <= byte) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Every id once, in order of first use. */
export function distinctChunkIds(index: DiskIndex): Set<ChunkId> {
  const ids = new Set<ChunkId>();
  for (let number = 0; number < index.ends.length; number++) ids.add(chunkAt(index, number).id);
  return ids;
}

/** An index whose chunks are still unnamed; `ids` is filled in by the capture. */
export function newDiskIndex(ends: Float64Array, chunkSizeMax: number): DiskIndex {
  const sharedEnds = new Float64Array(new SharedArrayBuffer(ends.byteLength));
  sharedEnds.set(ends);
  return {
    digest: 'sha256',
    featureFlags: 0n,
    chunkSizeMin: 1,
    chunkSizeAvg: chunkSizeMax,
    chunkSizeMax,
    ends: sharedEnds,
    ids: new Uint8Array(new SharedArrayBuffer(ends.length * 32)),
  };
}

export function formatDiskIndex(index: DiskIndex): Uint8Array {
  const count = index.ends.length;
  const bytes = Buffer.alloc(headerBytes + tableHeaderBytes + (count + 1) * itemBytes);
  const header = [
    headerBytes,
    indexType,
    index.featureFlags,
    index.chunkSizeMin,
    index.chunkSizeAvg,
    index.chunkSizeMax,
  ];
  const table = [openSize, tableType];
  let at = 0;
  const put = (value: number | bigint): void => {
    at = bytes.writeBigUInt64LE(BigInt(value), at);
  };
  for (const value of [...header, ...table]) put(value);
  for (let number = 0; number < count; number++) {
    put(index.ends[number] ?? 0);
    bytes.set(index.ids.subarray(number * 32, number * 32 + 32), at);
    at += 32;
  }
  for (const value of [0, 0, headerBytes, tableHeaderBytes + (count + 1) * itemBytes, tailMarker]) put(value);
  return bytes;
}

/**
 * @param name of the file, for messages
 * @throws RekindleError `verification-failed`, naming what is wrong and where
 */
export function parseDiskIndex(bytes: Uint8Array, name: string): DiskIndex {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const refuse = (what: string): never => {
    throw new RekindleError(
      'verification-failed',
      `Reading disk index ${name} (${bytes.length} bytes): ${what}`,
      {
        next: 'Take another copy of the image, or another image of the station.',
        details: { diskIndex: name },
      },
    );
  };
  const smallest = headerBytes + tableHeaderBytes + itemBytes;
  if (bytes.length < smallest) refuse(`it is cut off; the smallest index has ${smallest} bytes`);
  const expect = (at: number, value: bigint, what: string): void => {
    const found = view.readBigUInt64LE(at);
    if (found !== value) refuse(`${what} at byte ${at} is ${hex(found)}, not ${hex(value)}`);
  };
  const read = (at: number, what: string): number => {
    const value = view.readBigUInt64LE(at);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) refuse(`${what} at byte ${at} is ${value}, beyond any disk`);
    return Number(value);
  };

  expect(0, BigInt(headerBytes), 'the header size');
  expect(8, indexType, 'the index type');
  const featureFlags = view.readBigUInt64LE(16);
  const [min, avg, max] = [
    read(24, 'the smallest chunk size'),
    read(32, 'the average chunk size'),
    read(40, 'the largest chunk size'),
  ];
  if (min < 1 || min > avg || avg > max || max > chunkSizeLimit) {
    refuse(`chunk sizes ${min}, ${avg}, ${max} are not ascending between 1 and ${chunkSizeLimit}`);
  }
  expect(headerBytes, openSize, 'the table size');
  expect(headerBytes + 8, tableType, 'the table type');

  const tail = bytes.length - itemBytes;
  const tableBytes = tail - headerBytes - tableHeaderBytes;
  if (tableBytes % itemBytes !== 0)
    refuse(`the table's ${tableBytes} bytes are no whole number of ${itemBytes}-byte items: it is cut off`);
  expect(tail, 0n, 'the tail');
  expect(tail + 8, 0n, 'the tail');
  expect(tail + 16, BigInt(headerBytes), "the tail's index offset");
  expect(tail + 24, BigInt(bytes.length - headerBytes), "the tail's table size");
  expect(tail + 32, tailMarker, 'the tail marker');

  const count = tableBytes / itemBytes;
  const ends = new Float64Array(new SharedArrayBuffer(count * 8));
  const ids = new Uint8Array(new SharedArrayBuffer(count * 32));
  let previous = 0;
  for (let number = 0; number < count; number++) {
    const at = headerBytes + tableHeaderBytes + number * itemBytes;
    // Halves instead of a bigint: an index of a million chunks is read in milliseconds.
    const high = view.readUInt32LE(at + 4);
    const end = high * 2 ** 32 + view.readUInt32LE(at);
    if (high >= 2 ** 21) refuse(`the end of chunk ${number} at byte ${at} is ${end}, beyond any disk`);
    if (end <= previous)
      refuse(`chunk ${number} ends at ${end}, not after chunk ${number - 1}, which ends at ${previous}`);
    if (end - previous > max)
      refuse(`chunk ${number} has ${end - previous} bytes, more than the largest chunk size ${max}`);
    ends[number] = end;
    ids.set(bytes.subarray(at + 8, at + itemBytes), number * 32);
    previous = end;
  }
  return {
    digest: (featureFlags & sha512256Flag) === 0n ? 'sha256' : 'sha512-256',
    featureFlags,
    chunkSizeMin: min,
    chunkSizeAvg: avg,
    chunkSizeMax: max,
    ends,
    ids,
  };
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
