import fs from 'node:fs';
import { access, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { type ChunkDigest, type ChunkId, chunkPath, chunkSuffix } from '../format/chunk-id.ts';
import { chunkSizeLimit } from '../format/disk-index.ts';
import { openJournal } from './announcement.ts';
import { isForeignCompression, packedBound, unpackChunk } from './chunk-file.ts';
import type { ChunkSource, ChunkStore, DirectoryStoreRef, WritableStoreRef } from './chunk-store.ts';
import { takeBack } from './condemned-chunk.ts';
import { makeFolderDurably, writeFileDurably } from './durable-write.ts';
import { mayBeFileFault } from './read-fault.ts';
import { isStoreFull } from './store-full.ts';

export const chunksFolder = 'chunks.castr';

const chunkFileLimit = packedBound(chunkSizeLimit);

export const chunkFilePath = (store: string, id: ChunkId): string =>
  path.join(store, chunksFolder, chunkPath(id));

/** Questions that are on their way at once: a share answers each in a millisecond, and the thread stays free. */
const looksAtOnce = 16;

/**
 * A store in a folder: local disk, or a mounted share. `missing`, `need` and `put` never block, for the service makes
 * them in its main thread. `get` reads, decompresses and hashes in one go, because worker threads make it and have
 * nothing else to do meanwhile.
 */
export function openDirectorySource(ref: DirectoryStoreRef, digest: ChunkDigest = 'sha256'): ChunkSource {
  assertFolder(ref);
  return directorySource(ref, digest);
}

/** @param ref with the announcement of the capture that writes, begun before */
export function openDirectoryStore(
  ref: Extract<WritableStoreRef, { kind: 'directory' }>,
  digest: ChunkDigest = 'sha256',
): ChunkStore {
  assertFolder(ref);
  const folder = ref.path;
  const source = directorySource(ref, digest);
  const journal = openJournal(folder, ref.announcement);
  return {
    ...source,

    async need(ids) {
      if (ids.length === 0) return [];
      await journal.append(ids);
      return source.missing(ids);
    },

    async put(id, chunkFile) {
      const file = chunkFilePath(folder, id);
      if (await exists(file)) return;
      try {
        await makeFolderDurably(path.dirname(file));
        await writeFileDurably(file, chunkFile);
      } catch (cause) {
        throw writeFailed(id, source.description, cause);
      }
    },

    async close() {
      await journal.close();
    },
  };
}

function directorySource(
  { path: folder, description = folder }: DirectoryStoreRef,
  digest: ChunkDigest,
): ChunkSource {
  /** Kept from chunk to chunk: what is read into it is unpacked before anything else is read. */
  let memory = new Uint8Array(0);
  const memoryFor = (size: number): Uint8Array => {
    if (memory.length < size) memory = new Uint8Array(size);
    return memory;
  };
  /** A chunk file in the kept memory; null when it is not there. */
  const readNow = (id: ChunkId): Uint8Array | null => {
    try {
      return readWhole(chunkFilePath(folder, id), memoryFor);
    } catch (cause) {
      if (isErrno(cause, 'ENOENT')) return null;
      if (!mayBeFileFault(cause) || !answers(folder)) throw readFailed(id, description, cause);
      // Once more, now that the store answers again: a share may have been away for a moment.
      const again = tryRead(chunkFilePath(folder, id), memoryFor);
      if (again !== null) return again;
      setAside(chunkFilePath(folder, id));
      throw unreadable(id, description, cause);
    }
  };
  /** @param use is done with the bytes before anything is waited for: the next reader gets the same memory */
  const read = async <T>(id: ChunkId, use: (chunkFile: Uint8Array) => T): Promise<T> => {
    const found = readNow(id);
    if (found !== null) return use(found);
    const file = chunkFilePath(folder, id);
    const again = (await takeBack(file)) ? readNow(id) : null;
    if (again === null && (await takeBackBad(file, id, digest))) return read(id, use);
    if (again === null)
      throw (await exists(file.slice(0, -chunkSuffix.length)))
        ? keptUnpacked(id, description)
        : notHeld(id, description);
    return use(again);
  };
  const unpack = (id: ChunkId, chunkFile: Uint8Array, into?: Uint8Array): Uint8Array => {
    try {
      return unpackChunk(id, chunkFile, description, digest, into);
    } catch (error) {
      // What another program packed in its own way is not damaged.
      if (!isForeignCompression(chunkFile)) setAside(chunkFilePath(folder, id));
      throw error;
    }
  };
  return {
    description,

    async get(id, into) {
      return read(id, (chunkFile) => unpack(id, chunkFile, into));
    },

    async getChunkFile(id) {
      return read(id, (chunkFile) => ({
        plainBytes: unpack(id, chunkFile).length,
        chunkFile: Uint8Array.from(chunkFile),
      }));
    },

    async missing(ids) {
      const absent = new Set<ChunkId>();
      let next = 0;
      const lane = async (): Promise<void> => {
        for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
          const file = chunkFilePath(folder, id);
          if (!(await exists(file)) && !(await takeBack(file)) && !(await takeBackBad(file, id, digest)))
            absent.add(id);
        }
      };
      await Promise.all(Array.from({ length: Math.min(looksAtOnce, ids.length) }, lane));
      return ids.filter((id) => absent.has(id));
    },

    async close() {},
  };
}

/** A chunk file as it is, unchecked, beside the caller's own thread. @throws as the file system */
export async function readChunkFileAside(store: string, id: ChunkId): Promise<Uint8Array> {
  const file = chunkFilePath(store, id);
  try {
    return await readFile(file);
  } catch (error) {
    if (!isErrno(error, 'ENOENT') || !(await takeBack(file))) throw error;
    return readFile(file);
  }
}

/** A file's bytes, in memory that `memoryFor` a size gives. */
function readWhole(file: string, memoryFor: (size: number) => Uint8Array): Uint8Array {
  const fd = fs.openSync(file, 'r');
  try {
    const { size } = fs.fstatSync(fd);
    if (size > chunkFileLimit) throw new Error(`it has ${size} bytes, more than any chunk`);
    const bytes = memoryFor(size).subarray(0, size);
    let length = 0;
    for (let count = -1; count !== 0 && length < size; length += count)
      count = fs.readSync(fd, bytes, length, size - length, length);
    return bytes.subarray(0, length);
  } finally {
    fs.closeSync(fd);
  }
}

function assertFolder({ path: folder, description = folder }: DirectoryStoreRef): void {
  if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new RekindleError(
    'store-unreachable',
    `Opening image store ${description}: there is no such folder`,
    { next: 'Check the path, and that the share or disk is mounted.' },
  );
}

/** Nothing there, or no answer: a store that fails says so when the chunk is written. */
function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/**
 * A damaged chunk, or one whose sectors cannot be read, must not be found again, so that the next capture or copy
 * stores it anew; its bytes stay for who wants to know why.
 */
export function setAside(file: string): void {
  try {
    fs.renameSync(file, `${file}${badSuffix}`);
  } catch {
    // A read-only store: the chunk stays, and every read of it is refused.
  }
}

const badSuffix = '.bad';

/**
 * What was set aside because it could not be read may be readable again: another cable, a share that came back. It
 * gets its name again when its bytes are right, and only then.
 */
async function takeBackBad(file: string, id: ChunkId, digest: ChunkDigest): Promise<boolean> {
  try {
    unpackChunk(id, await readFile(`${file}${badSuffix}`), file, digest);
    // Over one that was stored anew meanwhile, too: both are right.
    await rename(`${file}${badSuffix}`, file);
    return true;
  } catch {
    return exists(file);
  }
}

/** Null when it cannot be read, for whatever reason. */
function tryRead(file: string, memoryFor: (size: number) => Uint8Array): Uint8Array | null {
  try {
    return readWhole(file, memoryFor);
  } catch {
    return null;
  }
}

function notHeld(id: ChunkId, folder: string): RekindleError {
  return new RekindleError('not-found', `Reading chunk ${id}: image store ${folder} does not hold it`, {
    next: 'Copy it from a second store, or choose another image.',
    details: { chunk: id },
  });
}

/** Other tools of this format (desync) may store chunks without compression, and without a suffix. */
function keptUnpacked(id: ChunkId, folder: string): RekindleError {
  return new RekindleError(
    'usage',
    `Reading chunk ${id} from image store ${folder}: it is stored without compression; only zstd is read`,
    { next: 'Make the store again with compression (casync --compression=zstd).', details: { chunk: id } },
  );
}

/** Whether the store itself is there. Asked in the thread that reads chunks, as they are read. */
export function answers(folder: string): boolean {
  try {
    fs.readdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

function unreadable(id: ChunkId, folder: string, cause: unknown): RekindleError {
  return new RekindleError('verification-failed', `Reading chunk ${id} from image store ${folder}`, {
    cause,
    next: 'Copy it from a second store, or choose another image. Check the disk that holds the store.',
    details: { chunk: id },
  });
}

function readFailed(id: ChunkId, folder: string, cause: unknown): RekindleError {
  return new RekindleError('store-unreachable', `Reading chunk ${id} from image store ${folder}`, {
    cause,
    next: 'Check the disk or share that holds the store, then start again: verified work is kept.',
    details: { chunk: id },
  });
}

function writeFailed(id: ChunkId, folder: string, cause: unknown): RekindleError {
  return new RekindleError('store-unreachable', `Writing chunk ${id} to image store ${folder}`, {
    cause,
    next: isStoreFull(cause)
      ? 'Free some space in the store, then start again: what is stored is reused.'
      : 'Check the store, then start again: what is stored is reused.',
    details: { chunk: id },
  });
}
