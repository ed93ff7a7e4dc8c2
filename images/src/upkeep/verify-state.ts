import type { ThrottleData } from '../capture/throttle.ts';
import type { ChunkDigest } from '../format/chunk-id.ts';
import type { StoreRef } from '../stores/chunk-store.ts';

/** What the worker threads of a verification share with the main thread. */
export interface VerifyWorkerData {
  readonly store: StoreRef;
  readonly digest: ChunkDigest;
  /** Shared: the chunks to read, 8 words an id. */
  readonly words: Uint32Array;
  /** Shared: the plain size that the index gives each of them. */
  readonly sizes: Uint32Array;
  /** Shared: a byte a chunk, by `chunkVerdict`. */
  readonly verdicts: Uint8Array;
  readonly lanes: number;
  readonly throttle: ThrottleData;
  readonly state: VerifyState;
}

export const chunkVerdict = { unread: 0, good: 1, bad: 2 } as const;

export interface VerifyState {
  readonly next: Int32Array;
  readonly stop: Int32Array;
  /** Plain bytes that were read. */
  readonly doneBytes: BigInt64Array;
}

export const createVerifyState = (): VerifyState => ({
  next: new Int32Array(new SharedArrayBuffer(4)),
  stop: new Int32Array(new SharedArrayBuffer(4)),
  doneBytes: new BigInt64Array(new SharedArrayBuffer(8)),
});

/** A chunk that is missing, damaged or not as long as its index says. */
export interface BadChunk {
  readonly id: string;
  readonly reason: string;
}
