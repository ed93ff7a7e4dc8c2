import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { type ChunkId, chunkIdOf } from '../format/chunk-id.ts';
import { chunkSizeLimit } from '../format/disk-index.ts';
import { isForeignCompression, outputBytes } from './chunk-file.ts';
import { answers, chunkFilePath, readChunkFileAside, setAside } from './directory-store.ts';
import { mayBeFileFault } from './read-fault.ts';
import { findFrameProblem } from './zstd-frame.ts';

/** Reads chunks of a directory store again, beside the caller's own thread: a service stays responsive. */

const decompress = promisify(zstdDecompress);

/** Reads that are on their way at once. */
const lanes = 4;
/** One broken disk must not become a list of a million sentences. */
const problemLimit = 20;

/**
 * @param onChecked after each chunk, with the bytes of its file; what it returns is waited for
 * @returns what is wrong, a sentence each
 */
export async function checkChunks(
  store: string,
  ids: Iterable<ChunkId>,
  onChecked: (fileBytes: number) => void | Promise<void> = () => {},
): Promise<string[]> {
  const problems: string[] = [];
  const queue = ids[Symbol.iterator]();
  const lane = async () => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      const checked = await checkChunk(store, next.value);
      if (typeof checked === 'string') problems.push(checked);
      if (problems.length >= problemLimit) return;
      if (typeof checked === 'number') await onChecked(checked);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return problems;
}

/**
 * Bytes of the chunk's file, or what is wrong with it. What is damaged is set aside, as every reader does: found again,
 * it would not be stored anew by the capture that is refused because of it.
 */
async function checkChunk(store: string, id: ChunkId): Promise<number | string> {
  const file = chunkFilePath(store, id);
  try {
    const chunkFile = await readChunkFileAside(store, id);
    if (await isChunk(id, chunkFile)) return chunkFile.length;
    if (!isForeignCompression(chunkFile)) setAside(file);
    return `chunk ${id} is damaged in the store`;
  } catch (error) {
    // Read twice: a share may have been away for a moment.
    const again = await readChunkFileAside(store, id).catch(() => null);
    if (again !== null && (await isChunk(id, again))) return again.length;
    if (mayBeFileFault(error) && answers(store)) setAside(file);
    return `chunk ${id} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Whether a chunk file's plain bytes are those that its id says. */
export async function isChunk(id: ChunkId, chunkFile: Uint8Array): Promise<boolean> {
  if (findFrameProblem(chunkFile, chunkSizeLimit) !== null) return false;
  try {
    return (
      chunkIdOf(await decompress(chunkFile, { chunkSize: outputBytes, maxOutputLength: chunkSizeLimit })) ===
      id
    );
  } catch {
    return false;
  }
}
