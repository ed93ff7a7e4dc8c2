import { type FileHandle, open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { type ChunkIdSet, createChunkIdSet, wordsOf } from '../format/chunk-id-set.ts';
import { storeTimeMs } from '../stores/announcement.ts';
import { makeFolderDurably, writeFully } from '../stores/durable-write.ts';
import { verifiedFolder } from './verification-record.ts';

/**
 * Chunks that a verification has found good and that no finished one has counted yet: `<store>/verified/progress`, 32
 * bytes each, appended. What a power cut leaves in it that is no id is no chunk's id either.
 */
export interface VerifyProgress {
  /** Read by a verification that was interrupted, and not again. */
  readonly done: Pick<ChunkIdSet, 'find' | 'size'>;
  /** @throws RekindleError `store-unreachable`, and once it has, every time */
  add(words: Uint32Array): Promise<void>;
  /** Everything that was noted is part of a result now. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** An interrupted verification is taken up again within a week: chunks age. */
const freshMs = 7 * 24 * 3_600_000;

/** Undefined for a store that cannot be written: it is verified all the same, from the start each time. */
export async function openProgress(store: string): Promise<VerifyProgress | undefined> {
  const file = path.join(store, verifiedFolder, 'progress');
  let handle: FileHandle;
  const done = createChunkIdSet();
  try {
    const nowMs = await storeTimeMs(store);
    await makeFolderDurably(path.dirname(file));
    const before = await stat(file).catch(() => undefined);
    if (before !== undefined && nowMs - before.mtimeMs > freshMs) await rm(file);
    const words = wordsOf(await readFile(file).catch(() => Buffer.alloc(0)));
    for (let at = 0; at < words.length / 8; at++) done.add(words, at);
    handle = await open(file, 'a');
    // A kill may have cut the last id: what follows starts at a whole one.
    const { size } = await handle.stat();
    if (size % 32 !== 0) await handle.truncate(size - (size % 32));
  } catch {
    return undefined;
  }
  /** Behind a part of an id no id can follow. */
  let failure: unknown;
  return {
    done,
    async add(words) {
      try {
        if (failure !== undefined) throw failure;
        await writeFully(handle, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
      } catch (cause) {
        failure = cause;
        throw new RekindleError('store-unreachable', `Noting verified chunks in ${file}`, {
          cause,
          next: 'Check the disk or share that holds the store and its space, then start again.',
        });
      }
    },
    finish: () => rm(file, { force: true }),
    close: () => handle.close(),
  };
}
