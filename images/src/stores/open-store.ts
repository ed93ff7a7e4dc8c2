import path from 'node:path';
import type { ChunkDigest } from '../format/chunk-id.ts';
import type { ChunkSource, ChunkStore, StoreRef, WritableStoreRef } from './chunk-store.ts';
import { openDirectorySource, openDirectoryStore } from './directory-store.ts';
import { openHttpStore } from './http-store.ts';

/** @param digest of the disk index whose chunks are read; ours are SHA-256 */
export function openStore(ref: StoreRef, digest: ChunkDigest = 'sha256'): ChunkSource {
  return ref.kind === 'directory' ? openDirectorySource(ref, digest) : openHttpStore(ref, digest);
}

export function openStoreForWriting(ref: WritableStoreRef, digest: ChunkDigest = 'sha256'): ChunkStore {
  return ref.kind === 'directory' ? openDirectoryStore(ref, digest) : openHttpStore(ref, digest);
}

/** A store as people name it: a path or a URL. */
export function parseStore(text: string): StoreRef {
  return /^https?:\/\//i.test(text)
    ? { kind: 'http', url: text.replace(/\/+$/, '') }
    : { kind: 'directory', path: path.resolve(text) };
}
