import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { type ChunkId, chunkIdOf, chunkPath } from '../format/chunk-id.ts';
import { chunkSizeLimit } from '../format/disk-index.ts';
import { outputBytes } from './chunk-file.ts';
import { chunksFolder } from './directory-store.ts';

/** Reads chunks of a directory store again, beside the caller's own thread: a service stays responsive. */

const decompress = promisify(zstdDecompress);

/** Reads that are on their way at once. */
const lanes = 4;
/** One broken disk must not become a list of a million sentences. */
const problemLimit = 20;

/**
 * @param onChecked after each chunk
 * @returns what is wrong, a sentence each
 */
export async function checkChunks(
  store: string,
  ids: Iterable<ChunkId>,
  onChecked: () => void = () => {},
): Promise<string[]> {
  const problems: string[] = [];
  const queue = ids[Symbol.iterator]();
  const lane = async () => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      const problem = await checkChunk(store, next.value);
      if (problem !== undefined) problems.push(problem);
      if (problems.length >= problemLimit) return;
      onChecked();
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return problems;
}

async function checkChunk(store: string, id: ChunkId): Promise<string | undefined> {
  try {
    return (await isChunk(id, await readFile(join(store, chunksFolder, chunkPath(id)))))
      ? undefined
      : `chunk ${id} is damaged in the store`;
  } catch (error) {
    return `chunk ${id} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Whether a chunk file's plain bytes are those that its id says. */
export async function isChunk(id: ChunkId, chunkFile: Uint8Array): Promise<boolean> {
  try {
    return (
      chunkIdOf(await decompress(chunkFile, { chunkSize: outputBytes, maxOutputLength: chunkSizeLimit })) ===
      id
    );
  } catch {
    return false;
  }
}
