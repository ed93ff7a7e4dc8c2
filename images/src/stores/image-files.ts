import type { StationName } from '../format/image-manifest.ts';
import type { ImageName } from '../format/image-name.ts';
import { listNamedFolders, type NamedFolder, namedFolder, readNamedFile } from './named-folder.ts';
import { parseStore } from './open-store.ts';

/** The files of a store's images. A store is a path or a URL. */

export { isThere, manifestFile } from './named-folder.ts';
export const imagesFolder = 'images';
export const imageKind = { top: imagesFolder, noun: 'image' };

export const imageFolder = (store: string, name: ImageName): string => namedFolder(store, imageKind, name);

/** Published images, of one station or of all, oldest first. @throws as `listNamedFolders` */
export async function listImages(store: string, station?: StationName): Promise<ImageName[]> {
  const folders = await listImageFolders(store, station);
  return folders.filter(({ hasManifest }) => hasManifest).map(({ name }) => name);
}

/** All folders whose names are those of images. @throws as `listNamedFolders` */
export const listImageFolders = (store: string, station?: StationName): Promise<NamedFolder[]> =>
  listNamedFolders(parseStore(store), imageKind, station);

/** @throws as `readNamedFile` */
export const readImageFile = (
  store: string,
  name: ImageName,
  file: string,
  limit: number,
): Promise<Uint8Array> => readNamedFile(parseStore(store), imageKind, name, file, limit);
