import { parentPort, workerData } from 'node:worker_threads';
import { isAllZero } from '#base/bytes.ts';
import { toPlainError, type WorkerOutcome } from '#base/worker-threads.ts';
import { allocateDirectBuffer, isErrno } from '#images/block-device/direct-buffer.ts';
import { readFully, writeFully } from '#images/block-device/disk-handle.ts';
import { chunkIdOf, zeroChunkId } from '#images/format/chunk-id.ts';
import { chunkAt, type DiskIndex, type IndexChunk } from '#images/format/disk-index.ts';
import type { ChunkSource, StoreRef } from '#images/stores/chunk-store.ts';
import { openStore } from '#images/stores/open-store.ts';
import { diskFailed, type Position, readBackDiffers, wrongChunkSize } from './restore-errors.ts';
import {
  addBytes,
  addChunk,
  type RestoreState,
  readBytes,
  requestStop,
  shouldStop,
} from './restore-state.ts';

/**
 * One worker thread of a restore. It takes chunk after chunk and does all of the work on it: read what is on
 * the disk, hash, and only where that differs fetch, decompress, verify and write. Lanes overlap the waiting
 * for a remote store; disk and CPU work is synchronous, on a buffer that the lane owns.
 */
export interface RestoreWorkerData {
  readonly task: 'write' | 'read-back';
  readonly device: string;
  readonly fd: number;
  readonly direct: boolean;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly index: DiskIndex;
  /** Shared: numbers of the chunks to restore. */
  readonly chunks: Uint32Array;
  readonly source: StoreRef;
  readonly lanes: number;
  readonly totalBytes: number;
  readonly state: RestoreState;
}

const data = workerData as RestoreWorkerData;
const { state, index } = data;

function position(): Position {
  return {
    device: data.device,
    sectorBytes: data.sectorBytes,
    doneBytes: readBytes(state, 'done'),
    totalBytes: data.totalBytes,
  };
}

function allocate(): Buffer {
  if (!data.direct) return Buffer.allocUnsafeSlow(index.chunkSizeMax);
  const buffer = allocateDirectBuffer(data.fd, data.sizeBytes, index.chunkSizeMax);
  if (buffer === null) throw new Error(`no memory that ${data.device} accepts for unbuffered access`);
  return buffer;
}

/** False when the sector cannot be read: writing it may heal it, and reading back decides. */
function readChunk(chunk: IndexChunk, into: Buffer): boolean {
  try {
    readFully(data.fd, into, chunk.startByte);
    return true;
  } catch (cause) {
    if (data.task === 'write' && isErrno(cause, 'EIO')) return false;
    throw diskFailed('Reading', position(), chunk.startByte, cause);
  }
}

function isRight(chunk: IndexChunk, bytes: Buffer): boolean {
  const shouldBeZero = chunk.id === zeroChunkId(chunk.sizeBytes, index.digest);
  // The zero test leaves at the first byte that is not zero, long before a hash would be done.
  const zero = isAllZero(bytes);
  if (shouldBeZero || zero) return shouldBeZero === zero;
  return chunkIdOf(bytes, index.digest) === chunk.id;
}

async function fill(chunk: IndexChunk, bytes: Buffer, source: ChunkSource): Promise<void> {
  if (chunk.id === zeroChunkId(chunk.sizeBytes, index.digest)) {
    bytes.fill(0);
    return;
  }
  const plain = await source.get(chunk.id);
  if (plain.length !== chunk.sizeBytes) throw wrongChunkSize(chunk, plain.length, source.description);
  addBytes(state, 'fetched', plain.length);
  bytes.set(plain);
}

async function restoreChunk(
  slot: number,
  chunk: IndexChunk,
  bytes: Buffer,
  source: ChunkSource,
): Promise<void> {
  if (readChunk(chunk, bytes) && isRight(chunk, bytes)) {
    addChunk(state, 'alreadyRight');
    addChunk(state, 'verified');
    addBytes(state, 'verified', chunk.sizeBytes);
    return;
  }
  await fill(chunk, bytes, source);
  try {
    writeFully(data.fd, bytes, chunk.startByte);
  } catch (cause) {
    throw diskFailed('Writing', position(), chunk.startByte, cause);
  }
  state.written[slot] = 1;
  addChunk(state, 'written');
  addBytes(state, 'written', chunk.sizeBytes);
}

function readBackChunk(chunk: IndexChunk, bytes: Buffer): void {
  readChunk(chunk, bytes);
  if (!isRight(chunk, bytes)) throw readBackDiffers(position(), chunk, chunkIdOf(bytes, index.digest));
  addChunk(state, 'verified');
  addBytes(state, 'verified', chunk.sizeBytes);
}

async function lane(source: ChunkSource): Promise<void> {
  const buffer = allocate();
  while (!shouldStop(state)) {
    const slot = Atomics.add(state.next, 0, 1);
    const number = data.chunks[slot];
    if (number === undefined) return;
    const chunk = chunkAt(index, number);
    const bytes = buffer.subarray(0, chunk.sizeBytes);
    if (data.task === 'write') await restoreChunk(slot, chunk, bytes, source);
    else if (state.written[slot] === 1) readBackChunk(chunk, bytes);
    else continue;
    addBytes(state, 'done', chunk.sizeBytes);
  }
}

async function run(): Promise<WorkerOutcome<null>> {
  const source = openStore(data.source, index.digest);
  try {
    // A lane that fails must stop the others before their buffers and the store go away.
    const lanes = await Promise.allSettled(
      Array.from({ length: data.lanes }, () =>
        lane(source).catch((error) => {
          requestStop(state);
          throw error;
        }),
      ),
    );
    for (const result of lanes) if (result.status === 'rejected') throw result.reason;
    return { done: null };
  } finally {
    await source.close();
  }
}

run().then(
  (outcome) => parentPort?.postMessage(outcome),
  (error) => parentPort?.postMessage({ failed: toPlainError(error) } satisfies WorkerOutcome<null>),
);
