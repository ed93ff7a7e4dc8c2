/** Counters that worker threads and the main thread share, so that progress costs no message. */

export interface RestoreState {
  /** Index into the plan's chunks of the next one to take. */
  readonly next: Int32Array;
  readonly stop: Int32Array;
  /** Bytes, by `bytesSlot`. */
  readonly bytes: BigInt64Array;
  /** Chunks, by `chunksSlot`. */
  readonly chunks: Int32Array;
  /** A `writtenMark` for each of the plan's chunks. */
  readonly written: Uint8Array;
}

/** `written`: has to be read back. `zeroLater`: is not zero yet, and has to be. */
export const writtenMark = { untouched: 0, written: 1, zeroLater: 2 } as const;
const bytesSlot = { done: 0, fetched: 1, written: 2, verified: 3 } as const;
const chunksSlot = { written: 0, alreadyRight: 1, verified: 2 } as const;

export function createRestoreState(chunkCount: number): RestoreState {
  return {
    next: new Int32Array(new SharedArrayBuffer(4)),
    stop: new Int32Array(new SharedArrayBuffer(4)),
    bytes: new BigInt64Array(new SharedArrayBuffer(32)),
    chunks: new Int32Array(new SharedArrayBuffer(12)),
    written: new Uint8Array(new SharedArrayBuffer(chunkCount)),
  };
}

export function addBytes(state: RestoreState, slot: keyof typeof bytesSlot, bytes: number): void {
  Atomics.add(state.bytes, bytesSlot[slot], BigInt(bytes));
}

export function addChunk(state: RestoreState, slot: keyof typeof chunksSlot): void {
  Atomics.add(state.chunks, chunksSlot[slot], 1);
}

export const readBytes = (state: RestoreState, slot: keyof typeof bytesSlot): number =>
  Number(Atomics.load(state.bytes, bytesSlot[slot]));

export const readChunks = (state: RestoreState, slot: keyof typeof chunksSlot): number =>
  Atomics.load(state.chunks, chunksSlot[slot]);

export const shouldStop = (state: RestoreState): boolean => Atomics.load(state.stop, 0) !== 0;
export const requestStop = (state: RestoreState): void => void Atomics.store(state.stop, 0, 1);
