import type { ChunkDigest } from '../format/chunk-id.ts';
import type { ChunkStore, StoreRef } from './chunk-store.ts';
import { openDirectoryStore } from './directory-store.ts';
import { openHttpStore } from './http-store.ts';

/** @param digest of the disk index whose chunks are read; ours are SHA-256 */
export function openStore(ref: StoreRef, digest: ChunkDigest = 'sha256'): ChunkStore {
  return ref.kind === 'directory'
    ? openDirectoryStore(ref.path, digest, ref.description)
    : openHttpStore(ref, digest);
}
