import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { RekindleError } from '#base/errors.ts';
import { type ChunkDigest, type ChunkId, chunkIdOf } from '../format/chunk-id.ts';
import { chunkSizeLimit } from '../format/disk-index.ts';
import { findFrameProblem } from './zstd-frame.ts';

/** `.cacnk`: the plain bytes of a chunk as zstd. Codec only; who reads the file knows where it is. */

/** One output buffer for a whole chunk and a little more, else Node goes round once again for nothing. */
export const outputBytes = (1 << 20) + 4096;

export function packChunk(plain: Uint8Array): Uint8Array {
  return zstdCompressSync(plain, {
    chunkSize: outputBytes,
    params: { [constants.ZSTD_c_compressionLevel]: 3 },
  });
}

/** @throws RekindleError `verification-failed`: not zstd, cut off, or other bytes than the id says */
export function unpackChunk(
  id: ChunkId,
  chunkFile: Uint8Array,
  where: string,
  digest: ChunkDigest = 'sha256',
): Uint8Array {
  const problem = findFrameProblem(chunkFile, chunkSizeLimit);
  if (problem !== null)
    throw badChunk(id, where, `its ${chunkFile.length} bytes are no chunk file: ${problem}`);
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

function badChunk(id: ChunkId, where: string, what: string, cause?: unknown): RekindleError {
  return new RekindleError('verification-failed', `Reading chunk ${id} from ${where}: ${what}`, {
    ...(cause === undefined ? {} : { cause }),
    next: 'The chunk is damaged. Copy it from a second store, or capture the station again, then start once more.',
    details: { chunk: id, store: where },
  });
}
