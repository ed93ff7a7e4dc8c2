import { readdirSync, renameSync, rmSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isErrno } from '#base/errno.ts';
import { chunkSuffix, isChunkId } from '../format/chunk-id.ts';
import { type ChunkIdSet, createChunkIdSet } from '../format/chunk-id-set.ts';
import { condemnedName, nameBeforeCondemned } from '../stores/condemned-chunk.ts';
import { chunksFolder } from '../stores/directory-store.ts';

/** One pass over all chunk files. Synchronous calls: a million of them take seconds, and nothing else runs here. */

export interface Swept {
  /** Given another name by this run, or only found to be superfluous in a dry run. */
  readonly condemned: ChunkIdSet;
  readonly condemnedBytes: Float64Array;
  readonly kept: number;
  /** In no image, but too new to be sure. */
  readonly young: number;
  /** Left condemned by a gc that was killed, and needed. */
  readonly takenBack: number;
  /** Set aside by a reader as damaged. */
  readonly bad: number;
  /** Temporary files of interrupted writes, removed. */
  readonly temporary: number;
}

export interface Sweeping {
  readonly store: string;
  readonly needed: Pick<ChunkIdSet, 'findHex'>;
  /** Of this gc, in the names that it gives. */
  readonly run: string;
  /** By the share's clock: what is younger than this is left alone. */
  readonly olderThanMs: number;
  /** The same for temporary files: a write in progress is at most seconds old. */
  readonly temporaryOlderThanMs: number;
  readonly dryRun: boolean;
  readonly onFolder?: (done: number, total: number) => void;
}

export async function sweep(sweeping: Sweeping): Promise<Swept> {
  const { store, run, olderThanMs, dryRun } = sweeping;
  const condemned = createChunkIdSet();
  const bytes: number[] = [];
  const counts = { kept: 0, young: 0, takenBack: 0, bad: 0, temporary: 0 };
  const root = path.join(store, chunksFolder);
  const condemn = (file: string, plainFile: string, id: string, info: Stats): void => {
    if (!dryRun) renameSync(file, condemnedName(plainFile, run));
    bytes[condemned.addHex(id)] = info.size;
  };
  const judge = (folder: string, name: string): void => {
    const file = path.join(folder, name);
    const before = nameBeforeCondemned(name);
    const plainName = before ?? name;
    const id = plainName.slice(0, 64);
    if (isChunkId(id) && plainName === `${id}${chunkSuffix}`) {
      const plainFile = path.join(folder, plainName);
      if (sweeping.needed.findHex(id) !== -1) {
        counts.kept++;
        if (before === null) return;
        if (!dryRun) renameSync(file, plainFile);
        counts.takenBack++;
        return;
      }
      const info = statSync(file);
      if (before === null && Math.max(info.ctimeMs, info.mtimeMs) > olderThanMs) counts.young++;
      else condemn(file, plainFile, id, info);
    } else if (name.endsWith('.bad')) counts.bad++;
    else if (name.endsWith('.tmp') && statSync(file).ctimeMs <= sweeping.temporaryOlderThanMs) {
      if (!dryRun) rmSync(file);
      counts.temporary++;
    }
  };
  const folders = readdirSync(root).filter((name) => /^[0-9a-f]{4}$/.test(name));
  for (const [at, folder] of folders.entries()) {
    for (const name of readdirSync(path.join(root, folder))) {
      whileThere(() => judge(path.join(root, folder), name));
    }
    if (at % 256 !== 255) continue;
    sweeping.onFolder?.(at + 1, folders.length);
    await nextTurn();
  }
  return { condemned, condemnedBytes: Float64Array.from(bytes), ...counts };
}

/** A writer, a reader that sets a chunk aside or another gc may have been faster. */
function whileThere(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
