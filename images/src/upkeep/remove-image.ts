import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { formatImageName, formatImageRef, type ImageName } from '../format/image-name.ts';
import { syncFolder } from '../stores/durable-write.ts';
import { imageFolder } from '../stores/image-files.ts';
import { verifiedFolder } from './verification-record.ts';

/** Takes an image out of the store: gone at once under its name, then its files. Its chunks are `gc`'s. */
export async function removeImage(store: string, name: ImageName): Promise<void> {
  const folder = imageFolder(store, name);
  const hidden = path.join(path.dirname(folder), `.pruned-${formatImageName(name)}`);
  try {
    await rm(hidden, { recursive: true, force: true });
    await rename(folder, hidden);
    await syncFolder(path.dirname(folder));
    await rm(hidden, { recursive: true, force: true });
    await rm(path.join(store, verifiedFolder, `${formatImageName(name)}.json`), { force: true });
  } catch (cause) {
    throw new RekindleError('store-unreachable', `Removing image ${formatImageRef(name)} from ${store}`, {
      cause,
      next: 'Check the rights of the store, then start again.',
    });
  }
}
