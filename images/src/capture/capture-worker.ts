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
import { openStoreForWriting } from '../stores/open-store.ts';
import { addCount, type CaptureWorkerData, chunkFate } from './capture-state.ts';
import { createThrottle } from './throttle.ts';
import { unusedWithin } from './unused-ranges.ts';

/** One worker thread of a capture: read, zero test, SHA-256, zstd and store, chunk after chunk on its own. */

const data = workerData as CaptureWorkerData;
const { state, index } = data;
const throttle = createThrottle(data.throttle, () => Atomics.load(state.stop, 0) !== 0);
/** Chunks that this thread knows to be in the store. */
const stored = new Set<ChunkId>();

function allocate(bytes: number): Buffer {
  if (!data.direct) return Buffer.allocUnsafeSlow(bytes);
  const buffer = allocateDirectBuffer(data.fd, data.sizeBytes, bytes);
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

interface ReadChunk {
  readonly number: number;
  readonly sizeBytes: number;
  readonly id: ChunkId;
  /** In a slot of the lane's buffer; null when all of it is zero. */
  readonly bytes: Uint8Array | null;
}

/** Takes up to `count` chunks, reads and hashes them; fewer when there are no more. */
async function readSome(buffer: Buffer, count: number): Promise<ReadChunk[]> {
  const found: ReadChunk[] = [];
  while (found.length < count && Atomics.load(state.stop, 0) === 0) {
    const number = Atomics.add(state.next, 0, 1);
    if (number >= chunkCount(index)) break;
    const startedAt = performance.now();
    const chunk = chunkAt(index, number);
    const slot = buffer.subarray(found.length * index.chunkSizeMax, (found.length + 1) * index.chunkSizeMax);
    const bytes = readChunk(chunk, slot);
    const id = bytes === null ? zeroChunkId(chunk.sizeBytes) : chunkIdOf(bytes);
    if (bytes === null) addCount(state, 'zeroChunks', 1);
    found.push({ number, sizeBytes: chunk.sizeBytes, id, bytes });
    await throttle.rest(performance.now() - startedAt);
  }
  return found;
}

/** One question for all of them; those that are not there are packed and written. */
async function storeSome(chunks: readonly ReadChunk[], packed: Uint8Array, into: ChunkStore): Promise<void> {
  const unknown = chunks.filter(({ id }) => {
    const first = !stored.has(id);
    stored.add(id);
    return first;
  });
  if (unknown.length === 0) return;
  const startedAt = performance.now();
  const missing = new Set(await into.need(unknown.map(({ id }) => id)));
  for (const { number, sizeBytes, id, bytes } of unknown) {
    if (!missing.has(id)) continue;
    const chunkFile = packChunk(bytes ?? new Uint8Array(sizeBytes), packed);
    throttle.spend('sent', chunkFile.length);
    await into.put(id, chunkFile);
    addCount(state, 'newChunks', 1);
    addCount(state, 'storedBytes', chunkFile.length);
    data.fates[number] = chunkFate.isNew;
  }
  await throttle.rest(performance.now() - startedAt);
}

async function lane(into: ChunkStore): Promise<void> {
  const buffer = allocate(index.chunkSizeMax * data.chunksAtOnce);
  const packed = new Uint8Array(packedBound(index.chunkSizeMax));
  while (Atomics.load(state.stop, 0) === 0) {
    const chunks = await readSome(buffer, data.chunksAtOnce);
    if (chunks.length === 0) return;
    await storeSome(chunks, packed, into);
    for (const { number, sizeBytes, id } of chunks) {
      index.ids.set(Buffer.from(id, 'hex'), number * 32);
      addCount(state, 'doneBytes', sizeBytes);
    }
  }
}

async function run(): Promise<void> {
  const into = openStoreForWriting(data.store);
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
