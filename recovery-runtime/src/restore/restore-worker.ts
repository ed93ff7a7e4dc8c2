import { workerData } from 'node:worker_threads';
import { isAllZero } from '#base/bytes.ts';
import { isErrno } from '#base/errno.ts';
import { answerTasks } from '#base/worker-threads.ts';
import { allocateDirectBuffer } from '#images/block-device/direct-buffer.ts';
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
  writtenMark,
} from './restore-state.ts';

/**
 * One worker thread of a restore. It takes chunk after chunk and does all of the work on it: read what is on
 * the disk, hash, and only where that differs fetch, decompress, verify and write. Lanes overlap the waiting
 * for a remote store; disk and CPU work is synchronous, on a buffer that the lane owns.
 */
export interface RestoreWorkerData {
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
  /** Chunks that have to become zero are marked for the main thread, which has the device do it. */
  readonly zeroLater: boolean;
  readonly state: RestoreState;
}

export interface RestoreTask {
  /** `zero`: write the zeros that the device would not write by itself. */
  readonly kind: 'write' | 'zero' | 'read-back';
  readonly totalBytes: number;
}

const data = workerData as RestoreWorkerData;
const { state, index } = data;
/** Opened by the first task: that one can say what is wrong with it. */
let source: ChunkSource | undefined;
/** One for each lane. */
const buffers: Buffer[] = [];

function position(totalBytes: number): Position {
  return {
    device: data.device,
    sectorBytes: data.sectorBytes,
    doneBytes: readBytes(state, 'done'),
    totalBytes,
  };
}

function allocate(): Buffer {
  if (!data.direct) return Buffer.allocUnsafeSlow(index.chunkSizeMax);
  const buffer = allocateDirectBuffer(data.fd, data.sizeBytes, index.chunkSizeMax);
  if (buffer === null) throw new Error(`no memory that ${data.device} accepts for unbuffered access`);
  return buffer;
}

/** False when the sector cannot be read: writing it may heal it, and reading back decides. */
function readChunk(chunk: IndexChunk, into: Buffer, task: RestoreTask): boolean {
  try {
    readFully(data.fd, into, chunk.startByte);
    return true;
  } catch (cause) {
    if (task.kind === 'write' && isErrno(cause, 'EIO')) return false;
    throw diskFailed('Reading', position(task.totalBytes), chunk, cause);
  }
}

function isRight(chunk: IndexChunk, bytes: Buffer): boolean {
  const shouldBeZero = chunk.id === zeroChunkId(chunk.sizeBytes, index.digest);
  // The zero test leaves at the first byte that is not zero, long before a hash would be done.
  const zero = isAllZero(bytes);
  if (shouldBeZero || zero) return shouldBeZero === zero;
  return chunkIdOf(bytes, index.digest) === chunk.id;
}

async function fill(chunk: IndexChunk, bytes: Buffer): Promise<void> {
  if (chunk.id === zeroChunkId(chunk.sizeBytes, index.digest)) {
    bytes.fill(0);
    return;
  }
  source ??= openStore(data.source, index.digest);
  const plain = await source.get(chunk.id, bytes);
  if (plain.length !== chunk.sizeBytes) throw wrongChunkSize(chunk, plain.length, source.description);
  addBytes(state, 'fetched', plain.length);
  if (plain.buffer !== bytes.buffer) bytes.set(plain);
}

async function restoreChunk(
  slot: number,
  chunk: IndexChunk,
  bytes: Buffer,
  task: RestoreTask,
): Promise<void> {
  if (readChunk(chunk, bytes, task) && isRight(chunk, bytes)) {
    addChunk(state, 'alreadyRight');
    addChunk(state, 'verified');
    addBytes(state, 'verified', chunk.sizeBytes);
    return;
  }
  if (data.zeroLater && chunk.id === zeroChunkId(chunk.sizeBytes, index.digest)) {
    state.written[slot] = writtenMark.zeroLater;
    return;
  }
  await fill(chunk, bytes);
  writeChunk(slot, chunk, bytes, task);
}

function writeChunk(slot: number, chunk: IndexChunk, bytes: Buffer, task: RestoreTask): void {
  try {
    writeFully(data.fd, bytes, chunk.startByte);
  } catch (cause) {
    throw diskFailed('Writing', position(task.totalBytes), chunk, cause);
  }
  state.written[slot] = writtenMark.written;
  addChunk(state, 'written');
  addBytes(state, 'written', chunk.sizeBytes);
}

function readBackChunk(chunk: IndexChunk, bytes: Buffer, task: RestoreTask): void {
  readChunk(chunk, bytes, task);
  if (!isRight(chunk, bytes))
    throw readBackDiffers(position(task.totalBytes), chunk, chunkIdOf(bytes, index.digest));
  addChunk(state, 'verified');
  addBytes(state, 'verified', chunk.sizeBytes);
}

async function lane(buffer: Buffer, task: RestoreTask): Promise<void> {
  while (!shouldStop(state)) {
    const slot = Atomics.add(state.next, 0, 1);
    const number = data.chunks[slot];
    if (number === undefined) return;
    const chunk = chunkAt(index, number);
    const bytes = buffer.subarray(0, chunk.sizeBytes);
    if (task.kind === 'write') await restoreChunk(slot, chunk, bytes, task);
    else if (task.kind === 'zero') {
      if (state.written[slot] === writtenMark.zeroLater) writeChunk(slot, chunk, bytes.fill(0), task);
      continue;
    } else if (state.written[slot] === writtenMark.written) readBackChunk(chunk, bytes, task);
    else continue;
    addBytes(state, 'done', chunk.sizeBytes);
  }
}

answerTasks(async (task: RestoreTask) => {
  const count = task.kind === 'write' ? data.lanes : 1;
  while (buffers.length < count) buffers.push(allocate());
  // A lane that fails must stop the others before their buffers go away.
  const lanes = await Promise.allSettled(
    buffers.slice(0, count).map((buffer) =>
      lane(buffer, task).catch((error) => {
        requestStop(state);
        throw error;
      }),
    ),
  );
  for (const result of lanes) if (result.status === 'rejected') throw result.reason;
});
