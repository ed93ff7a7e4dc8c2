import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolderDurably, syncFolder } from './durable-write.ts';

/** Folders beside what a store keeps that are none yet. */
export const publishingPrefix = '.publishing-';

/**
 * Makes a folder appear, complete or not at all: a hidden folder beside its place, one rename.
 * @param fill puts everything into the hidden folder, flushed
 * @throws as the file system, and as `fill`; then nothing is left
 */
export async function publishFolder(folder: string, fill: (hidden: string) => Promise<void>): Promise<void> {
  const parent = path.dirname(folder);
  await makeFolderDurably(parent);
  const hidden = await mkdtemp(path.join(parent, publishingPrefix));
  try {
    await fill(hidden);
    await chmod(hidden, 0o755);
    await rename(hidden, folder);
  } catch (error) {
    await rm(hidden, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(parent);
}
