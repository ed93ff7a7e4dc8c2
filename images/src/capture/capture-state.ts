import type { DiskIndex } from '../format/disk-index.ts';
import type { WritableStoreRef } from '../stores/chunk-store.ts';
import type { ThrottleData } from './throttle.ts';

/** What the worker threads of a capture share with the main thread. */
export interface CaptureState {
  /** Number of the next chunk to take. */
  readonly next: Int32Array;
  readonly stop: Int32Array;
  /** By `captureSlot`. */
  readonly counts: BigInt64Array;
}

const captureSlot = {
  doneBytes: 0,
  readBytes: 1,
  zeroChunks: 2,
  newChunks: 3,
  storedBytes: 4,
} as const;

/** What became of a chunk. */
export const chunkFate = { wasStored: 0, isNew: 1 } as const;

export function createCaptureState(): CaptureState {
  return {
    next: new Int32Array(new SharedArrayBuffer(4)),
    stop: new Int32Array(new SharedArrayBuffer(4)),
    counts: new BigInt64Array(new SharedArrayBuffer(8 * 5)),
  };
}

export const readCount = (state: CaptureState, slot: keyof typeof captureSlot): number =>
  Number(Atomics.load(state.counts, captureSlot[slot]));

export function addCount(state: CaptureState, slot: keyof typeof captureSlot, count: number): void {
  Atomics.add(state.counts, captureSlot[slot], BigInt(count));
}

export interface CaptureWorkerData {
  readonly disk: string;
  readonly fd: number;
  readonly direct: boolean;
  readonly sizeBytes: number;
  /** Shared; the workers fill in the ids. */
  readonly index: DiskIndex;
  /** Shared: start and end of every unused range of the disk, ascending. */
  readonly unused: Float64Array;
  readonly store: WritableStoreRef;
  readonly lanes: number;
  /** That a lane reads before it asks the store for them, in one question. */
  readonly chunksAtOnce: number;
  /** Shared, a byte a chunk, by `chunkFate`; the workers fill it in. */
  readonly fates: Uint8Array;
  readonly throttle: ThrottleData;
  readonly state: CaptureState;
}
