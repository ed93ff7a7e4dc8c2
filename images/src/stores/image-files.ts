import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { isAbsent } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import type { StationName } from '../format/image-manifest.ts';
import { formatImageName, type ImageName, parseImageName } from '../format/image-name.ts';
import { refusedByStore } from './http-refusal.ts';
import { createHttpClient, type HttpClient } from './http-request.ts';
import { parseListing } from './listing.ts';
import { parseStore } from './open-store.ts';
import { mayBeFileFault } from './read-fault.ts';

/** The files of a store's images, by path or by URL: `<store>/images/<STATION>/<STATION>_<UTC>/<file>`. */

export const imagesFolder = 'images';
export const manifestFile = 'manifest.json';

export function imageFolder(store: string, name: ImageName): string {
  return path.join(store, imagesFolder, name.station, formatImageName(name));
}

const imageFilePath = (name: ImageName, file: string): string =>
  [imagesFolder, name.station, formatImageName(name), file].join('/');

/**
 * Published images, of one station or of all, oldest first. Folders with other names are nobody's images.
 * @throws RekindleError `store-unreachable`; `usage` from a web server that shows no listings
 */
export async function listImages(store: string, station?: StationName): Promise<ImageName[]> {
  const folders = await listImageFolders(store, station);
  return folders.filter(({ hasManifest }) => hasManifest).map(({ name }) => name);
}

export interface ImageFolder {
  readonly name: ImageName;
  /** Without one it is no image, but it was meant to be. Always true of a web server, where asking costs a request. */
  readonly hasManifest: boolean;
}

/** All folders whose names are those of images. @throws as `listImages` */
export async function listImageFolders(store: string, station?: StationName): Promise<ImageFolder[]> {
  const ref = parseStore(store);
  const client = ref.kind === 'http' ? createHttpClient(ref) : undefined;
  const listFolder = (...parts: string[]): Promise<string[]> =>
    ref.kind === 'directory'
      ? readFolder(path.join(ref.path, ...parts))
      : readListing(client as HttpClient, ref.url, parts.join('/'));
  try {
    const found: ImageFolder[] = [];
    for (const owner of station === undefined ? await listFolder(imagesFolder) : [station]) {
      for (const folder of await listFolder(imagesFolder, owner)) {
        const name = parseImageName(folder);
        if (name === null || name.station !== owner) continue;
        const hasManifest =
          ref.kind === 'http' || (await isThere(path.join(imageFolder(ref.path, name), manifestFile)));
        found.push({ name, hasManifest });
      }
    }
    return found.sort((a, b) => compare(a.name.station, b.name.station) || compare(a.name.utc, b.name.utc));
  } finally {
    client?.close();
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** @throws RekindleError `not-found` only where `absent` allows it; `verification-failed`, `store-unreachable` */
export async function readImageFile(
  store: string,
  name: ImageName,
  file: string,
  limit: number,
): Promise<Uint8Array> {
  const ref = parseStore(store);
  if (ref.kind === 'http') return fetchImageFile(ref.url, imageFilePath(name, file), limit);
  const full = path.join(imageFolder(ref.path, name), file);
  try {
    assertSize((await stat(full)).size, limit);
    return await readFile(full);
  } catch (cause) {
    if (mayBeFileFault(cause) && (await answers(ref.path))) throw unreadable(full, cause);
    throw unreachable(`Reading ${full}`, cause);
  }
}

async function answers(folder: string): Promise<boolean> {
  return readdir(folder).then(
    () => true,
    () => false,
  );
}

async function fetchImageFile(url: string, file: string, limit: number): Promise<Uint8Array> {
  const client = createHttpClient({ kind: 'http', url });
  try {
    const reply = await client.request('GET', `/${file}`);
    if (reply.status === 404) {
      throw new RekindleError('not-found', `Reading ${url}/${file}: the server has no such file`, {
        next: 'Check the address and the name of the image: STATION@20261120T020000Z.',
      });
    }
    if (reply.status !== 200) throw refusedByStore(`Reading ${file}`, { url }, reply);
    try {
      assertSize(reply.body.length, limit);
    } catch (cause) {
      throw unreadable(`${url}/${file}`, cause);
    }
    return reply.body;
  } finally {
    client.close();
  }
}

function assertSize(size: number, limit: number): void {
  if (size > limit) throw new Error(`it has ${size} bytes, at most ${limit} are expected`);
}

function unreadable(file: string, cause: unknown): RekindleError {
  return new RekindleError('verification-failed', `Reading ${file}`, {
    cause,
    next: 'Take another copy of the image.',
  });
}

async function readFolder(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (cause) {
    if (isAbsent(cause)) return [];
    throw unreachable(`Listing ${folder}`, cause);
  }
}

function unreachable(what: string, cause: unknown): RekindleError {
  return new RekindleError('store-unreachable', what, {
    cause,
    next: 'Check the disk or share that holds the store.',
  });
}

/** No answer is not a no: `gc` would take the image's chunks. @throws RekindleError `store-unreachable` */
export async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (cause) {
    if (isAbsent(cause)) return false;
    throw unreachable(`Looking for ${file}`, cause);
  }
}

/** A plain web server has no list of its own; most show one for a folder when they are told to. */
async function readListing(client: HttpClient, url: string, folder: string): Promise<string[]> {
  const reply = await client.request('GET', `/${folder}/`);
  if (reply.status === 200) return parseListing(reply.body.toString('utf8'));
  throw new RekindleError(
    'usage',
    `Listing ${url}/${folder}/: this web server shows no list of its folders`,
    {
      cause: new Error(`it answered with status ${reply.status}`),
      next: 'Name the image with its time, STATION@20261120T020000Z; or switch listings on (nginx: autoindex on).',
    },
  );
}
