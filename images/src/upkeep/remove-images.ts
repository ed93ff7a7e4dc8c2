import { randomUUID } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { formatImageName, formatImageRef, type ImageName } from '../format/image-name.ts';
import { readReadings } from '../stores/announce-reading.ts';
import { isNetworkFileSystem, storeTimeMs } from '../stores/announcement.ts';
import { syncFolder } from '../stores/durable-write.ts';
import { imageFolder, imagesFolder, isThere } from '../stores/image-files.ts';
import { settleOnShareMs } from './gc.ts';
import { listPruned, prunedFolder } from './pruned-images.ts';
import { verifiedFolder } from './verification-record.ts';

/**
 * Takes images out of a store, while restores begin and gc runs. Their chunks are `gc`'s.
 *
 * 1. Hide: every image's folder gets another name, so that nobody who looks from now on finds it.
 * 2. On a network file system: wait for longer than a client keeps what it has seen.
 * 3. Look who needs it. A reader announces, then looks: either it found the image, then its announcement is there
 *    now; or it came later, and was told that there is none.
 * 4. What is needed gets its name back; the others are removed.
 *
 * Killed between these, the next one goes on with 2 for what it finds hidden.
 */
export interface RemoveOptions {
  readonly store: string;
  readonly names: readonly ImageName[];
  /** A reader without a sign of life for so long counts no more. */
  readonly silentMs: number;
  /** Why images are needed, by `STATION@<UTC>`, beside what readers announce in the store; asked after hiding. */
  readonly neededBy: () => ReadonlyMap<string, readonly string[]>;
  /** Waited for before each phase begins. */
  readonly onPhase?: (phase: 'hide' | 'look' | 'remove') => Promise<void> | void;
}

export interface RemovedImages {
  readonly removed: readonly ImageName[];
  /** Somebody began to read them in the meantime: they stay. */
  readonly kept: readonly { readonly name: ImageName; readonly reasons: readonly string[] }[];
}

/** @throws RekindleError `store-unreachable` */
export async function removeImages(options: RemoveOptions): Promise<RemovedImages> {
  const { store, names, silentMs } = options;
  let at: ImageName | undefined;
  try {
    await options.onPhase?.('hide');
    for (const name of names) {
      at = name;
      await hide(store, name);
    }
    at = undefined;
    await clearDiscarded(store);
    const hidden = await listPruned(store);
    if (hidden.length === 0) return { removed: [], kept: [] };
    if (await isNetworkFileSystem(store)) await sleep(settleOnShareMs);

    await options.onPhase?.('look');
    const readings = await readReadings(store, await storeTimeMs(store), silentMs);
    const needed = options.neededBy();
    await options.onPhase?.('remove');
    const removed: ImageName[] = [];
    const kept: RemovedImages['kept'][number][] = [];
    for (const name of hidden) {
      at = name;
      const ref = formatImageRef(name);
      const reasons = [...(readings.get(ref) ?? []), ...(needed.get(ref) ?? [])];
      if (reasons.length > 0 && (await giveBack(store, name))) kept.push({ name, reasons });
      else {
        await discard(prunedFolder(store, name));
        if (!(await isThere(imageFolder(store, name)))) await removeRecord(store, name);
        removed.push(name);
      }
    }
    return { removed, kept };
  } catch (cause) {
    const what = at === undefined ? 'images' : `image ${formatImageRef(at)}`;
    throw new RekindleError('store-unreachable', `Removing ${what} from ${store}`, {
      cause,
      next: 'Check the rights of the store, then start again: what was hidden by then is looked at again.',
    });
  }
}

async function hide(store: string, name: ImageName): Promise<void> {
  const hidden = prunedFolder(store, name);
  // Left by a prune that was killed, and an image of that name came back since: that one is the image.
  await discard(hidden);
  await rename(imageFolder(store, name), hidden);
  await syncFolder(path.dirname(hidden));
}

/** @returns false when there is nothing to give back, or when an image of that name is there again */
async function giveBack(store: string, name: ImageName): Promise<boolean> {
  const folder = imageFolder(store, name);
  if (await isThere(folder)) return false;
  if (!(await renameIfThere(prunedFolder(store, name), folder))) return false;
  await syncFolder(path.dirname(folder));
  return true;
}

/** Renamed before it is emptied: another prune must not give half an image back. */
async function discard(hidden: string): Promise<void> {
  const discarded = path.join(path.dirname(hidden), `${discardedMark}${randomUUID()}`);
  if (await renameIfThere(hidden, discarded)) await rm(discarded, { recursive: true, force: true });
}

/** What a killed prune had begun to empty. */
async function clearDiscarded(store: string): Promise<void> {
  const root = path.join(store, imagesFolder);
  for (const station of await readdir(root)) {
    for (const name of await readdir(path.join(root, station)).catch((): string[] => [])) {
      if (!name.startsWith(discardedMark)) continue;
      await rm(path.join(root, station, name), { recursive: true, force: true });
    }
  }
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

const discardedMark = '.removed-';

const removeRecord = (store: string, name: ImageName): Promise<void> =>
  rm(path.join(store, verifiedFolder, `${formatImageName(name)}.json`), { force: true });
