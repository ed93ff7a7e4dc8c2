import type { ChunkId } from '../format/chunk-id.ts';

/**
 * Stores are capabilities: ChunkSource < ChunkStore. What a worker thread opens again for itself is a
 * StoreRef, plain data.
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
  /** Those of `ids` that the store does not hold. Presence only: `get` proves the bytes. */
  missing(ids: readonly ChunkId[]): Promise<ChunkId[]>;
  close(): Promise<void>;
}

export interface ChunkStore extends ChunkSource {
  /**
   * Stores a chunk file (`.cacnk`: zstd of the plain bytes) durably; a chunk already there is left alone.
   * `chunkFile` is the caller's again when this is done.
   */
  put(id: ChunkId, chunkFile: Uint8Array): Promise<void>;
}

export type StoreRef =
  | {
      readonly kind: 'directory';
      readonly path: string;
      /** What messages call it, when the path says little: `//server/share`. */
      readonly description?: string;
    }
  | {
      readonly kind: 'http';
      /** Base URL; chunks are below `<url>/chunks.castr/`. */
      readonly url: string;
      readonly token?: string;
      /** PEM of the only CA that is trusted, and the name its certificate must carry. */
      readonly tls?: { readonly ca: string; readonly serverName: string };
    };
