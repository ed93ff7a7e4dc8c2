import fs from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { chunkIdOf, chunkPath } from '#images/format/chunk-id.ts';
import { distinctChunkIds, parseDiskIndex } from '#images/format/disk-index.ts';
import { chunksFolder } from '#images/stores/directory-store.ts';
import { openDecompressor } from '#images/stores/zstd-context.ts';

/**
 * What zstd and SHA-256 alone take for the chunks of an image, on one thread of several: its share of the chunk files
 * is in memory before the clock starts, and nothing is done with the result but to compare it.
 */
export interface BareLoopData {
  readonly store: string;
  readonly index: string;
  readonly share: number;
  readonly shares: number;
  /** Threads that have loaded theirs; all begin when all have. */
  readonly ready: Int32Array;
}

const { store, index, share, shares, ready } = workerData as BareLoopData;
const ids = [...distinctChunkIds(parseDiskIndex(fs.readFileSync(index), index))].filter(
  (_, number) => number % shares === share,
);
const files = ids.map((id) => fs.readFileSync(path.join(store, chunksFolder, chunkPath(id))));
const decompressor = openDecompressor();
const memory = new Uint8Array(1 << 20);

Atomics.add(ready, 0, 1);
Atomics.notify(ready, 0);
for (let loaded = Atomics.load(ready, 0); loaded < shares; loaded = Atomics.load(ready, 0))
  Atomics.wait(ready, 0, loaded);

const startedAt = performance.now();
for (const [number, file] of files.entries()) {
  const length = decompressor?.run(file, memory) ?? 0;
  if (chunkIdOf(memory.subarray(0, length)) !== ids[number]) throw new Error(`chunk ${ids[number]} is wrong`);
}
parentPort?.postMessage((performance.now() - startedAt) / 1000);
