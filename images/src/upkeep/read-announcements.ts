import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { isAbsent } from '#base/errno.ts';
import { wordsOf } from '../format/chunk-id-set.ts';
import { lastSignOf, readsFile } from '../stores/announce-reading.ts';
import { capturesFolder, journalPrefix } from '../stores/announcement.ts';

/** What the writers and readers of a store announced: how many they are, and every chunk that one of them counts on. */
export async function readAnnouncements(
  store: string,
  onChunk: (words: Uint32Array, at: number) => void,
): Promise<{ readonly captures: number; readonly readings: number }> {
  const announcements = await listAnnouncements(store);
  let readings = 0;
  for (const announcement of announcements) {
    const folder = path.join(store, capturesFolder, announcement);
    for (const name of await namesIn(folder)) {
      if (name === readsFile) readings++;
      if (!name.startsWith(journalPrefix)) continue;
      const bytes = await readFile(path.join(folder, name)).catch(nothingWhenGone);
      // A last id that is not whole yet is of a capture that has not looked for its chunk yet either.
      const words = wordsOf(bytes);
      for (let at = 0; at < words.length / 8; at++) onChunk(words, at);
    }
  }
  return { captures: announcements.length - readings, readings };
}

/**
 * Removes announcements without any sign of life for `silentMs`: their captures were interrupted. One that lives all
 * the same finds out when it appends, or when it publishes.
 * @param nowMs by the share's clock
 */
export async function dropSilentAnnouncements(
  store: string,
  nowMs: number,
  silentMs: number,
): Promise<string[]> {
  const dropped: string[] = [];
  for (const announcement of await listAnnouncements(store)) {
    const folder = path.join(store, capturesFolder, announcement);
    if (nowMs - (await lastSignOf(folder)) <= silentMs) continue;
    await rm(folder, { recursive: true, force: true });
    dropped.push(announcement);
  }
  return dropped;
}

async function listAnnouncements(store: string): Promise<string[]> {
  return (await namesIn(path.join(store, capturesFolder))).filter((name) => !name.startsWith('.'));
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (isAbsent(error)) return [];
    throw error;
  });
}

function nothingWhenGone(error: unknown): Buffer {
  if (isAbsent(error)) return Buffer.alloc(0);
  throw error;
}
