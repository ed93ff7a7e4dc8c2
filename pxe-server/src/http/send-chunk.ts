import { open } from 'node:fs/promises';
import type { Request, Response } from 'express';
import { chunkBytes } from '#images/format/chunk-grid.ts';
import { packedBound } from '#images/stores/chunk-file.ts';

/**
 * Chunk files leave through memory that is kept. A stream for each makes garbage of the size of the image, and
 * clearing that away took half of the service's time in a restore (docs/facts.md).
 */
const memoryBytes = packedBound(chunkBytes);
const kept: Buffer[] = [];
/** More replies at once get memory of their own, which goes when they end. */
const keptMost = 32;

/**
 * False when this is not for here: part of a file, a conditional request, a chunk of a foreign image that is
 * larger than ours. `sendFile` of Express does those.
 * @throws what the system says of the file
 */
export async function sendChunk(request: Request, response: Response, file: string): Promise<boolean> {
  if (request.method !== 'GET' || asksForMore(request)) return false;
  const memory = kept.pop() ?? Buffer.allocUnsafeSlow(memoryBytes);
  let length: number;
  try {
    length = await readInto(memory, file);
  } catch (error) {
    giveBack(memory);
    throw error;
  }
  if (length === memory.length) {
    giveBack(memory);
    return false;
  }
  // Once all has left, and when the connection breaks.
  response.once('close', () => giveBack(memory));
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': length,
    'cache-control': 'public, max-age=86400, immutable',
  });
  response.end(memory.subarray(0, length));
  return true;
}

function asksForMore({ headers }: Request): boolean {
  return ['range', 'if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since'].some(
    (name) => headers[name] !== undefined,
  );
}

/** @returns how much of `memory` is the file; all of it when there may be more */
async function readInto(memory: Buffer, file: string): Promise<number> {
  await using handle = await open(file, 'r');
  let length = 0;
  for (let count = -1; count !== 0 && length < memory.length; length += count)
    count = (await handle.read(memory, length, memory.length - length, length)).bytesRead;
  return length;
}

function giveBack(memory: Buffer): void {
  if (kept.length < keptMost) kept.push(memory);
}
