import os from 'node:os';
import type { Worker } from 'node:worker_threads';
import { fromPlainError, type PlainError, startWorker } from '#base/worker-threads.ts';
import type { ChunkDigest, ChunkId } from '../format/chunk-id.ts';
import type { StoreRef } from '../stores/chunk-store.ts';

/**
 * Chunks read in worker threads: several at once, and a share that hangs does not keep the main thread from
 * hearing Ctrl-C.
 */
export interface ChunkReaders extends AsyncDisposable {
  /** Verified plain bytes. @throws as ChunkSource.get does */
  read(id: ChunkId): Promise<Uint8Array>;
}

export interface ChunkReaderData {
  readonly store: StoreRef;
  readonly digest: ChunkDigest;
}

export interface ChunkQuestion {
  readonly number: number;
  readonly id: ChunkId;
}

export type ChunkAnswer =
  | { readonly number: number; readonly bytes: Uint8Array }
  | { readonly number: number; readonly failed: PlainError };

interface Waiting {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}
interface Reader {
  readonly worker: Worker;
  /** By the number of the question. */
  readonly waiting: Map<number, Waiting>;
}

export function startChunkReaders(
  data: ChunkReaderData,
  count: number = Math.min(4, os.availableParallelism()),
): ChunkReaders {
  const readers = Array.from({ length: count }, () => startReader(data));
  let asked = 0;
  let closed = false;
  return {
    read: (id) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new Error('the store was closed'));
        const reader = readers.reduce((least, each) =>
          each.waiting.size < least.waiting.size ? each : least,
        );
        const number = asked++;
        reader.waiting.set(number, { resolve, reject });
        reader.worker.postMessage({ number, id } satisfies ChunkQuestion);
      }),
    async [Symbol.asyncDispose]() {
      closed = true;
      await Promise.all(readers.map(({ worker }) => worker.terminate()));
    },
  };
}

function startReader(data: ChunkReaderData): Reader {
  const worker = startWorker('chunk-reader-worker', data);
  const waiting: Reader['waiting'] = new Map();
  const failAll = (error: Error): void => {
    const all = [...waiting.values()];
    waiting.clear();
    for (const { reject } of all) reject(error);
  };
  worker.on('message', (answer: ChunkAnswer) => {
    const asked = waiting.get(answer.number);
    waiting.delete(answer.number);
    if ('bytes' in answer) asked?.resolve(answer.bytes);
    else asked?.reject(fromPlainError(answer.failed));
  });
  worker.on('error', failAll);
  worker.on('exit', () => failAll(new Error('the thread that reads chunks has ended')));
  return { worker, waiting };
}
