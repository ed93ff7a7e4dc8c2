import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { type ChunkDigest, type ChunkId, chunkPath } from '../format/chunk-id.ts';
import { chunkSizeLimit } from '../format/disk-index.ts';
import { packedBound, unpackChunk } from './chunk-file.ts';
import type { ChunkStore } from './chunk-store.ts';
import { makeFolderDurably, writeFileDurably } from './durable-write.ts';

export const chunksFolder = 'chunks.castr';

const chunkFileLimit = packedBound(chunkSizeLimit);

/**
 * A store in a folder: local disk, or a mounted share. Calls are synchronous inside, because worker threads
 * make them; a service that reads through this store in its main thread would block.
 */
export function openDirectoryStore(
  folder: string,
  digest: ChunkDigest = 'sha256',
  description = folder,
): ChunkStore {
  if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new RekindleError(
      'store-unreachable',
      `Opening image store ${description}: there is no such folder`,
      {
        next: 'Check the path, and that the share or disk is mounted.',
      },
    );
  }
  const chunks = path.join(folder, chunksFolder);
  const fileOf = (id: ChunkId): string => path.join(chunks, chunkPath(id));
  /** Kept from chunk to chunk: what is read into it is unpacked before anything else is read. */
  let memory = new Uint8Array(0);

  return {
    description,

    async get(id, into) {
      const file = fileOf(id);
      let bytes: Uint8Array;
      try {
        bytes = readWhole(file, (size) => {
          if (memory.length < size) memory = new Uint8Array(size);
          return memory;
        });
      } catch (cause) {
        throw readFailed(id, description, cause);
      }
      try {
        return unpackChunk(id, bytes, description, digest, into);
      } catch (error) {
        setAside(file);
        throw error;
      }
    },

    async missing(ids) {
      return ids.filter((id) => !fs.existsSync(fileOf(id)));
    },

    async put(id, chunkFile) {
      const file = fileOf(id);
      if (fs.existsSync(file)) return;
      try {
        makeFolderDurably(path.dirname(file));
        writeFileDurably(file, chunkFile);
      } catch (cause) {
        throw new RekindleError('store-unreachable', `Writing chunk ${id} to image store ${description}`, {
          cause,
          next: isCode(cause, 'ENOSPC')
            ? 'Free some space in the store, then start again: what is stored is reused.'
            : 'Check the store, then start again: what is stored is reused.',
          details: { chunk: id },
        });
      }
    },

    async close() {},
  };
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

/** A damaged chunk must not be found again; its bytes stay for who wants to know why. */
function setAside(file: string): void {
  try {
    fs.renameSync(file, `${file}.bad`);
  } catch {
    // A read-only store: the chunk stays, and every read of it is refused.
  }
}

function readFailed(id: ChunkId, folder: string, cause: unknown): RekindleError {
  return isCode(cause, 'ENOENT')
    ? new RekindleError('not-found', `Reading chunk ${id}: image store ${folder} does not hold it`, {
        next: 'Copy it from a second store, or choose another image.',
        details: { chunk: id },
      })
    : new RekindleError('store-unreachable', `Reading chunk ${id} from image store ${folder}`, {
        cause,
        next: 'Check the disk or share that holds the store, then start again: verified work is kept.',
        details: { chunk: id },
      });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
