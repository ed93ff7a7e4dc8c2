import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { runTool } from '#base/run-tool.ts';

/** What a rehearsal checks from outside of the machine, with none of the code that restored the disk. */

export interface ByteRange {
  readonly startByte: number;
  readonly sizeBytes: number;
}

const compareBytes = 4 * 1024 * 1024;

/** SHA-256 of a range of a raw disk file, hex. */
export async function hashRange(file: string, { startByte, sizeBytes }: ByteRange): Promise<string> {
  const hash = createHash('sha256');
  const options = { start: startByte, end: startByte + sizeBytes - 1, highWaterMark: compareBytes };
  for await (const bytes of createReadStream(file, options)) {
    hash.update(bytes);
  }
  return hash.digest('hex');
}

export async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(file)) hash.update(bytes);
  return hash.digest('hex');
}

/** The disk as Debian's casync reads it out of the image store: the independent reference. */
export async function extractWithCasync(index: string, store: string, output: string): Promise<void> {
  await runTool(
    `reading ${path.basename(index)} with casync`,
    { command: 'casync', debianPackage: 'casync' },
    [...['extract', `--store=${path.join(store, 'chunks.castr')}`, '--seed-output=no', index, output]],
  );
}

/** First byte position inside of the ranges at which the two files differ. */
export async function firstDifference(
  one: string,
  other: string,
  ranges: readonly ByteRange[],
): Promise<number | undefined> {
  await using a = await open(one, 'r');
  await using b = await open(other, 'r');
  const left = Buffer.alloc(compareBytes);
  const right = Buffer.alloc(compareBytes);
  for (const { startByte, sizeBytes } of ranges) {
    for (let at = startByte; at < startByte + sizeBytes; at += compareBytes) {
      const length = Math.min(compareBytes, startByte + sizeBytes - at);
      const [fromA, fromB] = await Promise.all([a.read(left, 0, length, at), b.read(right, 0, length, at)]);
      const read = Math.min(fromA.bytesRead, fromB.bytesRead);
      if (fromA.bytesRead === fromB.bytesRead && left.subarray(0, read).equals(right.subarray(0, read)))
        continue;
      const offset = left.subarray(0, read).findIndex((byte, position) => byte !== right[position]);
      return at + (offset === -1 ? read : offset);
    }
  }
  return undefined;
}
