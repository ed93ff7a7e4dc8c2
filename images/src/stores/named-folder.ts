import { constants, type FileHandle, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { isAbsent } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import type { StationName } from '../format/image-manifest.ts';
import { formatImageName, type ImageName, parseImageName } from '../format/image-name.ts';
import type { StoreRef } from './chunk-store.ts';
import { refusedByStore } from './http-refusal.ts';
import { createHttpClient, type HttpClient } from './http-request.ts';
import { parseListing } from './listing.ts';
import { mayBeFileFault } from './read-fault.ts';

/** What a store keeps by station and time, by path or by URL: `<store>/<top>/<STATION>/<STATION>_<UTC>/<file>`. */

export const manifestFile = 'manifest.json';
export const signatureFile = 'manifest.json.minisig';

export interface StoredKind {
  /** Its folder in the store. */
  readonly top: string;
  /** For messages: `image`. */
  readonly noun: string;
}

export const namedFolder = (store: string, { top }: StoredKind, name: ImageName): string =>
  path.join(store, top, name.station, formatImageName(name));

export interface NamedFolder {
  readonly name: ImageName;
  /** Without one it is nothing, but it was meant to be. Always true of a web server, where asking costs a request. */
  readonly hasManifest: boolean;
}

/**
 * Of one station or of all, oldest first. Folders with other names are nobody's.
 * @throws RekindleError `store-unreachable`; `usage` from a web server that shows no listings
 */
export async function listNamedFolders(
  ref: StoreRef,
  kind: StoredKind,
  station?: StationName,
): Promise<NamedFolder[]> {
  const client = ref.kind === 'http' ? createHttpClient(ref) : undefined;
  const listFolder = (...parts: string[]): Promise<string[]> =>
    ref.kind === 'directory'
      ? readFolder(path.join(ref.path, ...parts))
      : readListing(client as HttpClient, ref.url, parts.join('/'), kind);
  try {
    const found: NamedFolder[] = [];
    for (const owner of station === undefined ? await listFolder(kind.top) : [station]) {
      for (const folder of await listFolder(kind.top, owner)) {
        const name = parseImageName(folder);
        if (name === null || name.station !== owner) continue;
        const hasManifest =
          ref.kind === 'http' || (await isThere(path.join(namedFolder(ref.path, kind, name), manifestFile)));
        found.push({ name, hasManifest });
      }
    }
    return found.sort((a, b) => compare(a.name.station, b.name.station) || compare(a.name.utc, b.name.utc));
  } finally {
    client?.close();
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A small file, whole. @throws RekindleError `not-found` (web server), `verification-failed`, `store-unreachable` */
export async function readNamedFile(
  ref: StoreRef,
  kind: StoredKind,
  name: ImageName,
  file: string,
  limit: number,
): Promise<Uint8Array> {
  if (ref.kind === 'http') return fetchNamedFile(ref, kind, name, file, limit);
  const full = path.join(namedFolder(ref.path, kind, name), file);
  try {
    await using handle = await openPlainFile(full);
    assertSize((await handle.stat()).size, limit);
    return await handle.readFile();
  } catch (cause) {
    throw await readFault(ref.path, full, kind, cause);
  }
}

/** A pipe in the file's place would never answer. @throws Error as the file system; it is no plain file */
export async function openPlainFile(file: string, flags = 0): Promise<FileHandle> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  try {
    if ((await handle.stat()).isFile()) return handle;
    throw new Error('it is no plain file');
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** @returns the file's own fault, where the store's root still answers; else that the store is away */
export async function readFault(
  store: string,
  file: string,
  kind: StoredKind,
  cause: unknown,
): Promise<RekindleError> {
  if (mayBeFileFault(cause) && (await answers(store))) return unreadable(file, kind, cause);
  return unreachable(`Reading ${file}`, cause);
}

async function answers(folder: string): Promise<boolean> {
  return readdir(folder).then(
    () => true,
    () => false,
  );
}

async function fetchNamedFile(
  ref: Extract<StoreRef, { kind: 'http' }>,
  kind: StoredKind,
  name: ImageName,
  file: string,
  limit: number,
): Promise<Uint8Array> {
  const filePath = [kind.top, name.station, formatImageName(name), file].join('/');
  const client = createHttpClient(ref);
  try {
    const reply = await client.request('GET', `/${filePath}`);
    if (reply.status === 404) {
      throw new RekindleError('not-found', `Reading ${ref.url}/${filePath}: the server has no such file`, {
        next: `Check the address and the name of the ${kind.noun}: STATION@20261120T020000Z.`,
      });
    }
    if (reply.status !== 200) throw refusedByStore(`Reading ${filePath}`, ref, reply);
    try {
      assertSize(reply.body.length, limit);
    } catch (cause) {
      throw unreadable(`${ref.url}/${filePath}`, kind, cause);
    }
    return reply.body;
  } finally {
    client.close();
  }
}

function assertSize(size: number, limit: number): void {
  if (size > limit) throw new Error(`it has ${size} bytes, at most ${limit} are expected`);
}

function unreadable(file: string, { noun }: StoredKind, cause: unknown): RekindleError {
  return new RekindleError('verification-failed', `Reading ${file}`, {
    cause,
    next: `Take another copy of the ${noun}.`,
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
async function readListing(
  client: HttpClient,
  url: string,
  folder: string,
  { noun }: StoredKind,
): Promise<string[]> {
  const reply = await client.request('GET', `/${folder}/`);
  if (reply.status === 200) return parseListing(reply.body.toString('utf8'));
  throw new RekindleError(
    'usage',
    `Listing ${url}/${folder}/: this web server shows no list of its folders`,
    {
      cause: new Error(`it answered with status ${reply.status}`),
      next: `Name the ${noun} with its time, STATION@20261120T020000Z; or switch listings on (nginx: autoindex on).`,
    },
  );
}
