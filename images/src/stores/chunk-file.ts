import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { RekindleError } from '#base/errors.ts';
import { type ChunkDigest, type ChunkId, chunkIdOf } from '../format/chunk-id.ts';
import { chunkSizeLimit } from '../format/disk-index.ts';
import { openCompressor, openDecompressor, type ZstdContext } from './zstd-context.ts';
import { findFrameProblem } from './zstd-frame.ts';

/** `.cacnk`: the plain bytes of a chunk as zstd. Codec only; who reads the file knows where it is. */

/** One output buffer for a whole chunk and a little more, else Node goes round once again for nothing. */
export const outputBytes = (1 << 20) + 4096;
const level = 3;

/** One of each a thread, made at the first chunk; null where this Node has none. */
let compressor: ZstdContext | null | undefined;
let decompressor: ZstdContext | null | undefined;

/** zstd's own bound: what cannot be compressed gets a little longer. */
export const packedBound = (plainBytes: number): number => plainBytes + (plainBytes >> 8) + 1024;

/** @param into memory for the result, `packedBound` bytes; the result is a part of it or a buffer of its own */
export function packChunk(plain: Uint8Array, into?: Uint8Array): Uint8Array {
  if (into !== undefined) {
    if (compressor === undefined) compressor = openCompressor(level);
    const length = compressor?.run(plain, into) ?? null;
    if (length !== null && length < into.length) return into.subarray(0, length);
  }
  return zstdCompressSync(plain, {
    chunkSize: outputBytes,
    params: { [constants.ZSTD_c_compressionLevel]: level },
  });
}

/**
 * @param into memory for the result, where it fits; the result is a part of it or a buffer of its own
 * @throws RekindleError `verification-failed`: not zstd, cut off, or other bytes than the id says
 */
export function unpackChunk(
  id: ChunkId,
  chunkFile: Uint8Array,
  where: string,
  digest: ChunkDigest = 'sha256',
  into?: Uint8Array,
): Uint8Array {
  const foreign = foreignCompression(chunkFile);
  if (foreign !== null) throw foreignChunk(id, where, foreign);
  const problem = findFrameProblem(chunkFile, chunkSizeLimit);
  if (problem !== null)
    throw badChunk(id, where, `its ${chunkFile.length} bytes are no chunk file: ${problem}`);
  if (into !== undefined) {
    if (decompressor === undefined) decompressor = openDecompressor();
    const length = decompressor?.run(chunkFile, into) ?? null;
    const plain = length === null ? undefined : into.subarray(0, length);
    // Anything but the right bytes takes the slow way, which says what is wrong.
    if (plain !== undefined && chunkIdOf(plain, digest) === id) return plain;
  }
  let plain: Uint8Array;
  try {
    plain = zstdDecompressSync(chunkFile, { chunkSize: outputBytes, maxOutputLength: chunkSizeLimit });
  } catch (cause) {
    throw badChunk(id, where, `its ${chunkFile.length} bytes are no complete zstd frame`, cause);
  }
  const found = chunkIdOf(plain, digest);
  if (found !== id) throw badChunk(id, where, `its content hashes to ${found}`);
  return plain;
}

/** First bytes of what casync packs with --compression=xz and gzip. */
const foreignMagic = [
  ['xz', Buffer.from('fd377a585a00', 'hex')],
  ['gzip', Buffer.from('1f8b', 'hex')],
] as const;

function foreignCompression(chunkFile: Uint8Array): string | null {
  const begins = (magic: Buffer): boolean => magic.equals(chunkFile.subarray(0, magic.length));
  return foreignMagic.find(([, magic]) => begins(magic))?.[0] ?? null;
}

/** Whether another compression than zstd was used: the chunk cannot be read, but it is not damaged. */
export const isForeignCompression = (chunkFile: Uint8Array): boolean =>
  foreignCompression(chunkFile) !== null;

function foreignChunk(id: ChunkId, where: string, compression: string): RekindleError {
  return new RekindleError(
    'usage',
    `Reading chunk ${id} from ${where}: it is packed with ${compression}; only zstd is read`,
    {
      next: 'Make the store again with casync --compression=zstd, or restore with casync itself.',
      details: { chunk: id, store: where },
    },
  );
}

function badChunk(id: ChunkId, where: string, what: string, cause?: unknown): RekindleError {
  return new RekindleError('verification-failed', `Reading chunk ${id} from ${where}: ${what}`, {
    ...(cause === undefined ? {} : { cause }),
    next: 'The chunk is damaged. Copy it from a second store, or capture the station again, then start once more.',
    details: { chunk: id, store: where },
  });
}
