import { workerData } from 'node:worker_threads';
import { errorChain, RekindleError } from '#base/errors.ts';
import { answerTasks } from '#base/worker-threads.ts';
import { createThrottle } from '../capture/throttle.ts';
import { chunkBytes } from '../format/chunk-grid.ts';
import type { ChunkId } from '../format/chunk-id.ts';
import { hexOfWords } from '../format/chunk-id-set.ts';
import type { ChunkSource } from '../stores/chunk-store.ts';
import { openStore } from '../stores/open-store.ts';
import { type BadChunk, chunkVerdict, type VerifyWorkerData } from './verify-state.ts';

/** One worker thread of a verification: takes chunk after chunk, reads, decompresses, hashes; memory is kept. */

const data = workerData as VerifyWorkerData;
const { state } = data;
const throttle = createThrottle(data.throttle, () => Atomics.load(state.stop, 0) !== 0);
/** Sentences of one worker: a broken disk must not fill the memory with them. */
const namedLimit = 1000;

async function lane(source: ChunkSource, bad: BadChunk[]): Promise<void> {
  const memory = new Uint8Array(chunkBytes);
  while (Atomics.load(state.stop, 0) === 0) {
    const number = Atomics.add(state.next, 0, 1);
    const size = data.sizes[number];
    if (size === undefined) return;
    const startedAt = performance.now();
    const id = hexOfWords(data.words, number) as ChunkId;
    const problem = await problemOf(source, id, size, memory);
    if (problem !== null) bad.push({ id, reason: bad.length < namedLimit ? problem : 'damaged or missing' });
    Atomics.store(data.verdicts, number, problem === null ? chunkVerdict.good : chunkVerdict.bad);
    Atomics.add(state.doneBytes, 0, BigInt(size));
    throttle.spend('read', size);
    await throttle.rest(performance.now() - startedAt);
  }
}

/** @throws RekindleError `store-unreachable`: says nothing about the chunk */
async function problemOf(
  source: ChunkSource,
  id: ChunkId,
  size: number,
  memory: Uint8Array,
): Promise<string | null> {
  try {
    const plain = await source.get(id, memory);
    return plain.length === size
      ? null
      : `chunk ${id} has ${plain.length} bytes, the index of an image says ${size}`;
  } catch (error) {
    if (
      error instanceof RekindleError &&
      (error.code === 'verification-failed' || error.code === 'not-found')
    )
      return errorChain(error).join(': ');
    throw error;
  }
}

answerTasks(async (): Promise<BadChunk[]> => {
  const source = openStore(data.store, data.digest);
  const bad: BadChunk[] = [];
  try {
    const lanes = Array.from({ length: data.lanes }, () =>
      lane(source, bad).catch((error: unknown) => {
        Atomics.store(state.stop, 0, 1);
        throw error;
      }),
    );
    for (const result of await Promise.allSettled(lanes)) {
      if (result.status === 'rejected') throw result.reason;
    }
    return bad;
  } finally {
    await source.close();
  }
});
