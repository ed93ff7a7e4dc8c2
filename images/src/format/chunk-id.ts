import { createHash, hash } from 'node:crypto';

/** Digest of a chunk's plain bytes, 64 lower-case hex digits. */
export type ChunkId = string & { readonly __brand: 'ChunkId' };

/** What hashes chunks: casync knows both, our images always use SHA-256. */
export type ChunkDigest = 'sha256' | 'sha512-256';

const opensslName = { sha256: 'sha256', 'sha512-256': 'sha512-256' } as const;

export function chunkIdOf(bytes: Uint8Array, digest: ChunkDigest = 'sha256'): ChunkId {
  return hash(opensslName[digest], bytes, 'hex') as ChunkId;
}

export function isChunkId(text: string): text is ChunkId {
  return /^[0-9a-f]{64}$/.test(text);
}

export const chunkSuffix = '.cacnk';

/** Where casync keeps a chunk below its store: `<first 4 digits>/<id>.cacnk`. */
export function chunkPath(id: ChunkId): string {
  return `${id.slice(0, 4)}/${id}${chunkSuffix}`;
}

const zeroIds = new Map<string, ChunkId>();

/** Id of the zero chunk of `size` bytes: known without reading or fetching anything. */
export function zeroChunkId(size: number, digest: ChunkDigest = 'sha256'): ChunkId {
  const key = `${digest} ${size}`;
  let id = zeroIds.get(key);
  if (id === undefined) {
    const hasher = createHash(opensslName[digest]);
    const block = new Uint8Array(Math.min(size, 1 << 20));
    let left = size;
    for (; left >= block.length && left > 0; left -= block.length) hasher.update(block);
    id = hasher.update(block.subarray(0, left)).digest('hex') as ChunkId;
    zeroIds.set(key, id);
  }
  return id;
}
