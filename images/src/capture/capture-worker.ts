import { workerData } from 'node:worker_threads';
import { isAllZero } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import { answerTasks } from '#base/worker-threads.ts';
import { allocateDirectBuffer } from '../block-device/direct-buffer.ts';
import { readFully } from '../block-device/disk-handle.ts';
import { type ChunkId, chunkIdOf, zeroChunkId } from '../format/chunk-id.ts';
import { chunkAt, chunkCount, type IndexChunk } from '../format/disk-index.ts';
import { packChunk, packedBound } from '../stores/chunk-file.ts';
import type { ChunkStore } from '../stores/chunk-store.ts';
import { openStore } from '../stores/open-store.ts';
import { addCount, type CaptureWorkerData, chunkFate } from './capture-state.ts';
import { createThrottle } from './throttle.ts';
import { unusedWithin } from './unused-ranges.ts';

/** One worker thread of a capture: read, zero test, SHA-256, zstd and store, chunk after chunk on its own. */

const data = workerData as CaptureWorkerData;
const { state, index } = data;
const throttle = createThrottle(data.throttle, () => Atomics.load(state.stop, 0) !== 0);
/** Chunks that this thread knows to be in the store. */
const stored = new Set<ChunkId>();

function allocate(): Buffer {
  if (!data.direct) return Buffer.allocUnsafeSlow(index.chunkSizeMax);
  const buffer = allocateDirectBuffer(data.fd, data.sizeBytes, index.chunkSizeMax);
  if (buffer === null) throw new Error(`no memory that ${data.disk} accepts for unbuffered access`);
  return buffer;
}

/** Bytes of the chunk with unused blocks as zeros; null when all of it is zero. */
function readChunk(chunk: IndexChunk, buffer: Buffer): Buffer | null {
  const holes = unusedWithin(data.unused, chunk);
  const [first] = holes;
  if (first !== undefined && first.sizeBytes === chunk.sizeBytes) return null;
  const bytes = buffer.subarray(0, chunk.sizeBytes);
  try {
    readFully(data.fd, bytes, chunk.startByte);
  } catch (cause) {
    throw new RekindleError(
      'target-unfit',
      `Capturing ${data.disk}: reading ${chunk.sizeBytes} bytes at byte ${chunk.startByte}`,
      {
        cause,
        next: 'The disk fails. Take what it still holds with ddrescue, and capture that copy.',
        details: { disk: data.disk, startByte: chunk.startByte },
      },
    );
  }
  addCount(state, 'readBytes', chunk.sizeBytes);
  throttle.spend('read', chunk.sizeBytes);
  for (const hole of holes)
    bytes.fill(0, hole.startByte - chunk.startByte, hole.startByte - chunk.startByte + hole.sizeBytes);
  return isAllZero(bytes) ? null : bytes;
}

/** Whether the chunk is new in the store. */
async function store(
  id: ChunkId,
  plain: () => Uint8Array,
  memory: Uint8Array,
  into: ChunkStore,
): Promise<boolean> {
  if (stored.has(id)) return false;
  stored.add(id);
  const [missing] = await into.missing([id]);
  if (missing === undefined) return false;
  const chunkFile = packChunk(plain(), memory);
  throttle.spend('sent', chunkFile.length);
  await into.put(id, chunkFile);
  addCount(state, 'newChunks', 1);
  addCount(state, 'storedBytes', chunkFile.length);
  return true;
}

async function lane(into: ChunkStore): Promise<void> {
  const buffer = allocate();
  const packed = new Uint8Array(packedBound(index.chunkSizeMax));
  const count = chunkCount(index);
  while (Atomics.load(state.stop, 0) === 0) {
    const number = Atomics.add(state.next, 0, 1);
    if (number >= count) return;
    const startedAt = performance.now();
    const chunk = chunkAt(index, number);
    const bytes = readChunk(chunk, buffer);
    const id = bytes === null ? zeroChunkId(chunk.sizeBytes) : chunkIdOf(bytes);
    if (bytes === null) addCount(state, 'zeroChunks', 1);
    const isNew = await store(id, () => bytes ?? new Uint8Array(chunk.sizeBytes), packed, into);
    if (isNew) data.fates[number] = chunkFate.isNew;
    index.ids.set(Buffer.from(id, 'hex'), number * 32);
    addCount(state, 'doneBytes', chunk.sizeBytes);
    await throttle.rest(performance.now() - startedAt);
  }
}

async function run(): Promise<void> {
  const into = openStore(data.store);
  try {
    const stop = (error: unknown): never => {
      Atomics.store(state.stop, 0, 1);
      throw error;
    };
    const lanes = await Promise.allSettled(Array.from({ length: data.lanes }, () => lane(into).catch(stop)));
    for (const result of lanes) if (result.status === 'rejected') throw result.reason;
  } finally {
    await into.close();
  }
}

answerTasks(run);
