import { type FileHandle, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { type ChunkIdSet, createChunkIdSet, wordsOf } from '../format/chunk-id-set.ts';
import { storeTimeMs } from '../stores/announcement.ts';
import { makeFolderDurably, writeFileDurably, writeFully } from '../stores/durable-write.ts';
import { verifiedFolder } from './verification-record.ts';

/**
 * Chunks that a verification has found good and that no finished one has counted yet: `<store>/verified/progress`, 32
 * bytes each, appended. The first 32 bytes say since when. What a power cut leaves in it that is no id is no chunk's id
 * either.
 */
export interface VerifyProgress {
  /** Read by a verification that was interrupted, and not again. */
  readonly done: Pick<ChunkIdSet, 'find'>;
  /** @throws RekindleError `store-unreachable`, and once it has, every time */
  add(words: Uint32Array): Promise<void>;
  /**
   * What was noted in this run, and of what was noted before all that `counted` has, is part of a result now.
   * @throws RekindleError `store-unreachable`
   */
  finish(counted: readonly Pick<ChunkIdSet, 'find'>[]): Promise<void>;
  close(): Promise<void>;
}

/** An interrupted verification is taken up again within a week of its start: chunks age. */
const freshMs = 7 * 24 * 3_600_000;

const headOf = (sinceMs: number): Buffer =>
  Buffer.from(`started ${new Date(sinceMs).toISOString()}`, 'latin1');

/** Undefined for a store that cannot be written: it is verified all the same, from the start each time. */
export async function openProgress(store: string): Promise<VerifyProgress | undefined> {
  const file = path.join(store, verifiedFolder, 'progress');
  let handle: FileHandle;
  let sinceMs: number;
  const done = createChunkIdSet();
  try {
    const nowMs = await storeTimeMs(store);
    await makeFolderDurably(path.dirname(file));
    const bytes = await readFile(file).catch(() => Buffer.alloc(0));
    const began = startOf(bytes);
    // A start that is still to come is of a clock that was wrong.
    const isFresh = began !== undefined && began <= nowMs && nowMs - began <= freshMs;
    sinceMs = isFresh ? began : nowMs;
    if (isFresh) {
      const words = wordsOf(bytes.subarray(32));
      for (let at = 0; at < words.length / 8; at++) done.add(words, at);
    } else await writeFileDurably(file, headOf(nowMs));
    handle = await open(file, 'a');
    // A kill may have cut the last id: what follows starts at a whole one.
    const { size } = await handle.stat();
    if (size % 32 !== 0) await handle.truncate(size - (size % 32));
  } catch {
    return undefined;
  }
  const failed = (cause: unknown): RekindleError =>
    new RekindleError('store-unreachable', `Noting verified chunks in ${file}`, {
      cause,
      next: 'Check the disk or share that holds the store and its space, then start again.',
    });
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
        throw failed(cause);
      }
    },
    async finish(counted) {
      const all = done.words();
      const left: Uint8Array[] = [];
      for (let at = 0; at < done.size; at++) {
        if (counted.some((ids) => ids.find(all, at) !== -1)) continue;
        left.push(new Uint8Array(all.slice(at * 8, at * 8 + 8).buffer));
      }
      try {
        if (left.length === 0) await rm(file, { force: true });
        else await writeFileDurably(file, Buffer.concat([headOf(sinceMs), ...left]));
      } catch (cause) {
        throw failed(cause);
      }
    },
    close: () => handle.close(),
  };
}

/** Undefined when the file is not of this format. */
function startOf(bytes: Uint8Array): number | undefined {
  const text = Buffer.from(bytes.subarray(0, 32)).toString('latin1');
  const ms = text.startsWith('started ') ? Date.parse(text.slice('started '.length)) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
