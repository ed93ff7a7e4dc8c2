import { randomUUID } from 'node:crypto';
import { rename, unlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import type { ChunkId } from '../format/chunk-id.ts';
import { createChunkIdSet, wordsOf } from '../format/chunk-id-set.ts';
import { formatImageName, formatImageRef, type ImageName } from '../format/image-name.ts';
import type { PublicKey } from '../format/minisign.ts';
import { isNetworkFileSystem, storeTimeMs } from '../stores/announcement.ts';
import { condemnedName } from '../stores/condemned-chunk.ts';
import { chunkFilePath } from '../stores/directory-store.ts';
import { imageFolder, isThere, listImageFolders } from '../stores/image-files.ts';
import { addChunksOf, isDamaged, tryReadImage } from './image-chunks.ts';
import { readPrunedIds } from './pruned-images.ts';
import { dropSilentAnnouncements, readAnnouncements } from './read-announcements.ts';
import { type Swept, sweep } from './sweep.ts';

/**
 * Removes chunks that no image and no running capture needs (images/README.md, "Removing chunks"). Captures may run
 * meanwhile, and it may be killed at any moment.
 */
export interface GcOptions {
  readonly store: string;
  readonly publicKey: PublicKey;
  /** A chunk in no image is left alone while it is younger than this, by the share's clock. */
  readonly graceMs: number;
  /** A capture without a sign of life for so long was interrupted. */
  readonly silentMs: number;
  /** `STATION@<UTC>` of damaged images whose chunks need not be kept. */
  readonly ignoreDamaged: readonly string[];
  readonly dryRun: boolean;
  /** Waited for before each phase begins. */
  readonly onPhase?: (phase: GcPhase) => Promise<void> | void;
  readonly onProgress?: (phase: GcPhase, done: number, total: number) => void;
}

export type GcPhase = 'mark' | 'condemn' | 'mark-again' | 'remove';

export interface GcResult {
  readonly images: number;
  readonly ignoredDamaged: readonly string[];
  readonly captures: { readonly running: number; readonly dropped: number };
  /** Restores and others that read an image now. */
  readonly readings: number;
  readonly chunks: Omit<Swept, 'condemned' | 'condemnedBytes'> & {
    readonly removed: number;
    readonly removedBytes: number;
  };
}

/** Another machine's view of a share may be so old: Linux keeps NFS and SMB attributes for up to a minute. */
export const settleOnShareMs = 120_000;

/** @throws RekindleError `verification-failed` (damaged images), `usage` (no image at all), `store-unreachable` */
export async function collectGarbage(options: GcOptions): Promise<GcResult> {
  const { store, dryRun } = options;
  const run = randomUUID();
  let finished = false;
  await using stack = new AsyncDisposableStack();
  try {
    await options.onPhase?.('mark');
    const nowMs = await storeTimeMs(store);
    const dropped = dryRun ? [] : await dropSilentAnnouncements(store, nowMs, options.silentMs);
    const needed = createChunkIdSet();
    const announced = await readAnnouncements(store, (words, at) => void needed.add(words, at));
    const marked = await markImages(options, new Set(), needed);
    if (marked.known.size === 0) throw noImages(store);

    await options.onPhase?.('condemn');
    const olderThanMs = nowMs - options.graceMs;
    const onFolder = (done: number, total: number) => options.onProgress?.('condemn', done, total);
    const swept = await sweep({
      store,
      needed,
      run,
      olderThanMs,
      temporaryOlderThanMs: nowMs - options.silentMs,
      dryRun,
      onFolder,
    });
    const { condemned, condemnedBytes, ...counts } = swept;
    if (!dryRun && condemned.size > 0 && (await isNetworkFileSystem(store))) await sleep(settleOnShareMs);

    stack.defer(async () => {
      // Whatever stops this run from here on: what it has condemned and not removed gets its name again.
      if (finished || dryRun) return;
      for (let number = 0; number < condemned.size; number++) {
        const file = chunkFilePath(store, condemned.hexOf(number) as ChunkId);
        await finish(condemnedName(file, run), file).catch(() => {});
      }
    });
    await options.onPhase?.('mark-again');
    const wanted = createChunkIdSet();
    await readAnnouncements(store, (words, at) => condemned.find(words, at) !== -1 && wanted.add(words, at));
    await markImages(options, marked.known, {
      add: (words, at) => (condemned.find(words, at) === -1 ? -1 : wanted.add(words, at)),
    });

    await options.onPhase?.('remove');
    const removal = { removed: 0, removedBytes: 0, takenBack: 0 };
    for (let number = 0; number < condemned.size; number++) {
      const id = condemned.hexOf(number) as ChunkId;
      const file = chunkFilePath(store, id);
      const isWanted = wanted.findHex(id) !== -1;
      if (!dryRun) {
        const isMine = await finish(condemnedName(file, run), isWanted ? file : null);
        if (!isMine) continue;
      }
      if (isWanted) removal.takenBack++;
      else {
        removal.removed++;
        removal.removedBytes += condemnedBytes[number] ?? 0;
      }
      if (number % 1024 === 0) options.onProgress?.('remove', number, condemned.size);
    }
    finished = true;
    return {
      images: marked.known.size,
      ignoredDamaged: marked.ignored,
      captures: { running: announced.captures, dropped: dropped.length },
      readings: announced.readings,
      chunks: { ...counts, ...removal, takenBack: counts.takenBack + removal.takenBack },
    };
  } catch (cause) {
    if (cause instanceof RekindleError) throw cause;
    throw new RekindleError('store-unreachable', `Removing superfluous chunks of ${store}`, {
      cause,
      next: 'Check the disk or share that holds the store, then start again: nothing that is needed was removed.',
    });
  }
}

/** @returns false when a reader or another gc took the chunk back in the meantime */
async function finish(condemned: string, backTo: string | null): Promise<boolean> {
  try {
    if (backTo === null) await unlink(condemned);
    else await rename(condemned, backTo);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

interface Marked {
  /** Names of the folders that were read, and of those that are ignored. */
  readonly known: Set<string>;
  readonly ignored: readonly string[];
}

/** Reads the images that are not `known`. @throws RekindleError `verification-failed`, naming all damaged ones */
async function markImages(
  { store, publicKey, ignoreDamaged, onProgress }: GcOptions,
  known: ReadonlySet<string>,
  to: Parameters<typeof addChunksOf>[1],
): Promise<Marked> {
  const addPruned = async (): Promise<void> => {
    for (const ids of await readPrunedIds(store)) {
      const words = wordsOf(ids);
      for (let at = 0; at < words.length / 8; at++) to.add(words, at);
    }
  };
  // Before and after: one that is hidden or given back while its folder is listed is in neither place, or in one.
  await addPruned();
  const folders = (await listImageFolders(store)).filter(({ name }) => !known.has(formatImageName(name)));
  const read = new Set(known);
  const damaged: { readonly name: ImageName; readonly reason: string }[] = [];
  for (const [number, { name, hasManifest }] of folders.entries()) {
    onProgress?.('mark', number, folders.length);
    const image = hasManifest
      ? await tryReadImage(store, name, publicKey)
      : { name, reason: `image ${formatImageRef(name)} has no manifest.json` };
    if (isDamaged(image)) {
      // Pruned since it was listed: no image any more.
      if (await isThere(imageFolder(store, name))) damaged.push(image);
    } else {
      addChunksOf(image, to);
      read.add(formatImageName(name));
    }
  }
  await addPruned();
  const refused = damaged.filter(({ name }) => !ignoreDamaged.includes(formatImageRef(name)));
  if (refused.length > 0) throw damagedImages(store, refused);
  for (const { name } of damaged) read.add(formatImageName(name));
  return { known: read, ignored: damaged.map(({ name }) => formatImageRef(name)) };
}

function damagedImages(
  store: string,
  damaged: readonly { name: ImageName; reason: string }[],
): RekindleError {
  const refs = damaged.map(({ name }) => formatImageRef(name));
  return new RekindleError(
    'verification-failed',
    `Removing superfluous chunks of ${store}: which chunks these images need is not known: ${refs.join(', ')}`,
    {
      cause: new Error(damaged.map(({ reason }) => reason).join('; ')),
      next: `Nothing was removed. Copy them from a second store; or give them up: ${refs.map((ref) => `--ignore-damaged ${ref}`).join(' ')}`,
      details: { damaged: refs },
    },
  );
}

function noImages(store: string): RekindleError {
  return new RekindleError('usage', `Removing superfluous chunks of ${store}: there is no image at all`, {
    next: 'Check the path, and that the right disk or share is mounted. An unwanted store is removed with its folder.',
  });
}
