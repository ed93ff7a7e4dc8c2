import fs from 'node:fs';
import { promisify } from 'node:util';
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

const open = promisify(fs.open);
const read = promisify(fs.read);

/**
 * Two hand-overs to libuv's threads for each chunk, of which each costs as much as a copy of half its bytes: the calls
 * that may wait for the disk. What an open file says of itself, and its end, wait for nothing.
 * @returns how much of `memory` is the file; all of it when there may be more
 */
async function readInto(memory: Buffer, file: string): Promise<number> {
  const fd = await open(file, 'r');
  try {
    const sizeBytes = Math.min(fs.fstatSync(fd).size, memory.length);
    let length = 0;
    for (let count = -1; count !== 0 && length < sizeBytes; length += count)
      count = (await read(fd, memory, length, sizeBytes - length, length)).bytesRead;
    return length;
  } finally {
    fs.closeSync(fd);
  }
}

function giveBack(memory: Buffer): void {
  if (kept.length < keptMost) kept.push(memory);
}
