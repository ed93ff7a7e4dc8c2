import { randomUUID } from 'node:crypto';
import { access, constants, readdir, readFile, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as z from 'zod';
import { isAbsent } from '#base/errno.ts';
import { errorChain, RekindleError } from '#base/errors.ts';
import type { ChunkId } from '../format/chunk-id.ts';
import { type DiskIndex, distinctChunkIds } from '../format/disk-index.ts';
import { formatImageRef, type ImageName } from '../format/image-name.ts';
import {
  type Announcement,
  announcementFolder,
  beginAnnouncement,
  capturesFolder,
  holdAnnouncement,
  openJournal,
  withdrawAnnouncement,
} from './announcement.ts';
import { writeFileDurably } from './durable-write.ts';
import { imageFolder, isThere, manifestFile } from './image-files.ts';

/**
 * Who reads an image from a folder says so beside the captures: in `reads` the image, which `prune` then leaves alone,
 * and in `chunks-*` its chunks, which `gc` keeps even when somebody removed the image by hand. Announced first, looked
 * for afterwards: an image that is still there then is one that no `prune` removes (images/README.md, "Removing
 * images").
 */
export const readsFile = 'reads';

const readingSchema = z.object({
  /** STATION@<UTC> */
  image: z.string(),
  /** `a restore`, `a mount` */
  what: z.string(),
  /** Name of the computer that reads. */
  host: z.string(),
});
export type Reading = z.infer<typeof readingSchema>;

export type AnnouncedReading =
  | { readonly kind: 'announced'; readonly announcement: Announcement }
  /** A store that cannot be written, or is full: it can be read all the same. */
  | { readonly kind: 'not-announced'; readonly reason: string };

/**
 * An announcement that this process keeps alive until it is disposed of.
 * @param indexes of the image
 * @throws RekindleError `not-found`: the image was removed meanwhile
 */
export async function announceReading(
  store: string,
  name: ImageName,
  what: string,
  indexes: readonly DiskIndex[],
): Promise<AnnouncedReading> {
  const id = randomUUID();
  const ids = indexes.flatMap((index) => [...distinctChunkIds(index)]);
  try {
    await beginReading(store, id, name, what, ids);
  } catch (error) {
    if (error instanceof RekindleError && error.code === 'not-found') throw error;
    const isWritable = await access(store, constants.W_OK).then(...isAnswered);
    return {
      kind: 'not-announced',
      reason: isWritable ? (errorChain(error).at(-1) ?? '') : 'it is read-only here',
    };
  }
  return { kind: 'announced', announcement: holdAnnouncement(store, id) };
}

const isAnswered = [() => true, () => false] as const;

/**
 * For who keeps it alive and withdraws it by other means, as the service does for its jobs.
 * @param id of the announcement
 * @throws RekindleError `not-found`: the image was removed meanwhile; `store-unreachable`: it could not be announced
 */
export async function beginReading(
  store: string,
  id: string,
  name: ImageName,
  what: string,
  ids: readonly ChunkId[] = [],
): Promise<void> {
  try {
    await beginAnnouncement(store, id);
    const reading: Reading = { image: formatImageRef(name), what, host: os.hostname() };
    const bytes = Buffer.from(`${JSON.stringify(reading)}\n`);
    await writeFileDurably(path.join(announcementFolder(store, id), readsFile), bytes);
    const journal = openJournal(store, id);
    await journal.append(ids).finally(() => journal.close());
    await assertStillThere(store, name);
  } catch (error) {
    await withdrawAnnouncement(store, id).catch(() => {});
    throw error;
  }
}

/** @throws RekindleError `not-found` */
async function assertStillThere(store: string, name: ImageName): Promise<void> {
  if (await isThere(path.join(imageFolder(store, name), manifestFile))) return;
  throw new RekindleError('not-found', `Looking for image ${formatImageRef(name)} in ${store} once more`, {
    cause: new Error('it was removed meanwhile (rekindle image prune, or by hand)'),
    next: 'Choose another image.',
  });
}

/**
 * Images that somebody reads now, with the reason, by `STATION@<UTC>`.
 * @param nowMs by the store's clock
 * @param silentMs a reader without a sign of life for so long counts no more
 */
export async function readReadings(
  store: string,
  nowMs: number,
  silentMs: number,
): Promise<Map<string, string[]>> {
  const readings = new Map<string, string[]>();
  const folder = path.join(store, capturesFolder);
  for (const id of await readdir(folder).catch(nothingWhenGone)) {
    const own = path.join(folder, id);
    const bytes = await readFile(path.join(own, readsFile)).catch(nothingWhenGone);
    const reading = parseReading(Buffer.from(bytes as Buffer));
    if (reading === null || nowMs - (await lastSignOf(own)) > silentMs) continue;
    const reason = `${reading.what} on ${reading.host} reads it`;
    readings.set(reading.image, [...(readings.get(reading.image) ?? []), reason]);
  }
  return readings;
}

/** The newest time of an announcement's files; 0 when there is none. */
export async function lastSignOf(announcement: string): Promise<number> {
  let last = 0;
  for (const name of ['', ...(await readdir(announcement).catch(nothingWhenGone))]) {
    const { mtimeMs } = await stat(path.join(announcement, name)).catch(() => ({ mtimeMs: 0 }));
    last = Math.max(last, mtimeMs);
  }
  return last;
}

function parseReading(bytes: Buffer): Reading | null {
  try {
    return readingSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    return null;
  }
}

/** @throws anything but that it is not there */
function nothingWhenGone(error: unknown): [] {
  if (isAbsent(error)) return [];
  throw error;
}
