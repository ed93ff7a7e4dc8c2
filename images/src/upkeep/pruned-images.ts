import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { isAbsent } from '#base/errno.ts';
import { parseDiskIndex } from '../format/disk-index.ts';
import { formatImageName, type ImageName, parseImageName } from '../format/image-name.ts';
import { imageFolder, imagesFolder } from '../stores/image-files.ts';

/**
 * `prune` hides an image before it removes it, looks once more who needs it, and gives it back or removes it: what is
 * hidden is no image, but may become one again.
 */
const mark = '.pruned-';

export const prunedFolder = (store: string, name: ImageName): string =>
  path.join(path.dirname(imageFolder(store, name)), `${mark}${formatImageName(name)}`);

/** Images that are hidden now: by a prune that runs, or by one that was killed. @throws as the file system */
export async function listPruned(store: string): Promise<ImageName[]> {
  const root = path.join(store, imagesFolder);
  const names: ImageName[] = [];
  for (const station of await readdir(root).catch(nothingWhenGone)) {
    for (const folder of await readdir(path.join(root, station)).catch(nothingWhenGone)) {
      const name = folder.startsWith(mark) ? parseImageName(folder.slice(mark.length)) : null;
      if (name?.station === station) names.push(name);
    }
  }
  return names;
}

/**
 * The ids of all chunks that hidden images name, as 32 bytes each. Nothing is believed for it, so nothing is checked:
 * it can only make `gc` keep more. One that is given back meanwhile is read where it is then; one that is removed
 * meanwhile needs nothing.
 */
export async function readPrunedIds(store: string): Promise<Uint8Array[]> {
  const ids: Uint8Array[] = [];
  for (const name of await listPruned(store)) {
    for (const folder of [prunedFolder(store, name), imageFolder(store, name)]) {
      for (const file of await readdir(folder).catch(nothingWhenGone)) {
        if (!file.endsWith('.caibx')) continue;
        const bytes = await readFile(path.join(folder, file)).catch(nothingWhenGone);
        const index = tryParse(Uint8Array.from(bytes), file);
        if (index !== null) ids.push(index.ids);
      }
    }
  }
  return ids;
}

function tryParse(bytes: Uint8Array, file: string): ReturnType<typeof parseDiskIndex> | null {
  try {
    return parseDiskIndex(bytes, file);
  } catch {
    return null;
  }
}

/** @throws anything but that it is not there */
function nothingWhenGone(error: unknown): [] {
  if (isAbsent(error)) return [];
  throw error;
}
