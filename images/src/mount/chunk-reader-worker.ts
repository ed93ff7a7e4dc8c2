import { parentPort, workerData } from 'node:worker_threads';
import { toPlainError } from '#base/worker-threads.ts';
import { openStore } from '../stores/open-store.ts';
import type { ChunkAnswer, ChunkQuestion, ChunkReaderData } from './chunk-readers.ts';

/** Reads, decompresses and hashes chunks for the main thread. */

const { store, digest } = workerData as ChunkReaderData;
const source = openStore(store, digest);
/** Below this a copy is cheaper, and the bytes may lie in memory that is shared with others. */
const worthHandingOver = 64 << 10;

parentPort?.on('message', async ({ number, id }: ChunkQuestion) => {
  try {
    const bytes = await source.get(id);
    const answer: ChunkAnswer = { number, bytes };
    parentPort?.postMessage(
      answer,
      bytes.length >= worthHandingOver && bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : [],
    );
  } catch (error) {
    parentPort?.postMessage({ number, failed: toPlainError(error) } satisfies ChunkAnswer);
  }
});
