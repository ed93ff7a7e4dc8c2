import { statfs } from 'node:fs/promises';
import type { ReadinessProblem } from './check-readiness.ts';

/** The compressed image of an ordinary Windows station: with less than this, the next capture may not end. */
const wantedBytes = 20 * 2 ** 30;

/**
 * Warns of an image store that is nearly full. Restores need no space there.
 * Asks about the file system of this one folder: a dead share mounted elsewhere does not hold up the service.
 */
export async function checkFreeSpace(store: string): Promise<ReadinessProblem | undefined> {
  // A store that is not there is a problem of its own, with its own sentence.
  const freeBytes = await freeBytesOf(store).catch(() => undefined);
  return freeBytes === undefined ? undefined : judgeFreeSpace(store, freeBytes);
}

/** What an ordinary user may still write on the file system of this folder. */
export async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** `freeBytes`: what an ordinary user may still write. */
export function judgeFreeSpace(store: string, freeBytes: number): ReadinessProblem | undefined {
  if (freeBytes >= wantedBytes) return undefined;
  return {
    problem: `The image store ${store} has ${(freeBytes / 2 ** 30).toFixed(1)} GiB left, and an image takes about ${wantedBytes / 2 ** 30} GiB.`,
    next: 'Make space before the next capture; recoveries work all the same.',
  };
}
