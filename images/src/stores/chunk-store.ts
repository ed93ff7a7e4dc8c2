import type { ChunkId } from '../format/chunk-id.ts';

/**
 * Stores are capabilities: ChunkSource (reads) < ChunkStore (also writes). What a worker thread opens again for
 * itself is a StoreRef, plain data.
 */
export interface ChunkSource {
  /** For messages: a path or URL, without credentials. */
  readonly description: string;
  /**
   * Plain bytes of a chunk, hashed and found right.
   * @param into the caller's memory for them; the result is a part of it, or a buffer of its own
   * @throws RekindleError `verification-failed` (bytes are wrong; the chunk is named), `not-found`, `store-unreachable`
   */
  get(id: ChunkId, into?: Uint8Array): Promise<Uint8Array>;
  /** The chunk as it is stored (`.cacnk`), after its plain bytes were found right. @throws as `get` */
  getChunkFile(id: ChunkId): Promise<{ readonly chunkFile: Uint8Array; readonly plainBytes: number }>;
  /** Those of `ids` that the store does not hold. Presence only: `get` proves the bytes. */
  missing(ids: readonly ChunkId[]): Promise<ChunkId[]>;
  close(): Promise<void>;
}

export interface ChunkStore extends ChunkSource {
  /**
   * Says that the image being written counts on these chunks, from now until it is published, and then which of
   * them the store does not hold. A writer that asked `missing` instead would rely on chunks that `gc` may remove.
   */
  need(ids: readonly ChunkId[]): Promise<ChunkId[]>;
  /**
   * Stores a needed chunk (`.cacnk`: zstd of the plain bytes) durably; one already there is left alone.
   * `chunkFile` is the caller's again when this is done.
   */
  put(id: ChunkId, chunkFile: Uint8Array): Promise<void>;
}

export interface DirectoryStoreRef {
  readonly kind: 'directory';
  readonly path: string;
  /** What messages call it, when the path says little: `//server/share`. */
  readonly description?: string;
}

export interface HttpStoreRef {
  readonly kind: 'http';
  /** Base URL; chunks are below `<url>/chunks.castr/`. */
  readonly url: string;
  readonly token?: string;
  /** PEM of the only CA that is trusted, and the name its certificate must carry. */
  readonly tls?: { readonly ca: string; readonly serverName: string };
}

export type StoreRef = DirectoryStoreRef | HttpStoreRef;

/** A store to write to: a service announces on behalf of its clients, for a folder the writer does (announcement.ts). */
export type WritableStoreRef = (DirectoryStoreRef & { readonly announcement: string }) | HttpStoreRef;
