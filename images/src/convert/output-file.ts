import fs from 'node:fs';
import path from 'node:path';
import { formatBytes } from '#base/bytes.ts';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { syncFolder } from '../stores/durable-write.ts';

/**
 * A file that appears under its name complete and on the medium, or not at all. Until then it is a hidden
 * file beside its place; disposing of it removes that one.
 */
export interface OutputFile extends Disposable {
  /** Where to write. */
  readonly partial: string;
  /** Cuts or extends to `sizeBytes` where given, flushes, gives it its name. */
  finish(sizeBytes?: number): Promise<void>;
}

/**
 * @param neededBytes that it will take; checked against what is free
 * @throws RekindleError `usage`: the name is taken, the folder cannot be written, or too little is free
 */
export function createOutputFile(file: string, neededBytes: number, fullBytes: number): OutputFile {
  const folder = path.dirname(path.resolve(file));
  const partial = path.join(folder, `.${path.basename(file)}.partial`);
  assertAbsent(file);
  assertRoom(folder, file, neededBytes, fullBytes);
  try {
    // The content of a whole disk is for its owner only.
    fs.closeSync(fs.openSync(partial, 'wx', 0o600));
  } catch (cause) {
    throw isErrno(cause, 'EEXIST')
      ? new RekindleError('usage', `Writing ${file}: ${partial} is there`, {
          next: 'Another export to this file is running, or one was killed: then remove it.',
        })
      : new RekindleError('usage', `Writing ${file}`, {
          cause,
          next: 'Choose a folder that can be written.',
        });
  }
  return {
    partial,
    async finish(sizeBytes) {
      const handle = await fs.promises.open(partial, 'r+');
      try {
        if (sizeBytes !== undefined) await handle.truncate(sizeBytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      giveName(partial, file);
      await syncFolder(folder);
    },
    [Symbol.dispose]: () => fs.rmSync(partial, { force: true }),
  };
}

function assertAbsent(file: string): void {
  if (fs.lstatSync(file, { throwIfNoEntry: false }) === undefined) return;
  throw new RekindleError('usage', `Writing ${file}: it is there, and nothing is overwritten`, {
    next: 'Choose another name, or remove that file first.',
  });
}

/** A link never replaces; a rename would, and is for file systems that have no links. */
function giveName(partial: string, file: string): void {
  try {
    fs.linkSync(partial, file);
    fs.rmSync(partial);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) assertAbsent(file);
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].some((code) => isErrno(error, code)))
      throw error;
    assertAbsent(file);
    fs.renameSync(partial, file);
  }
}

/** File systems without holes, as statfs(2) names them: FAT and exFAT. */
const withoutHoles = new Set([0x4d44, 0x2011bab0]);

function assertRoom(folder: string, file: string, neededBytes: number, fullBytes: number): void {
  let space: fs.StatsFs;
  try {
    space = fs.statfsSync(folder);
  } catch (cause) {
    throw new RekindleError('usage', `Writing ${file}`, { cause, next: 'Choose a folder that is there.' });
  }
  const free = space.bavail * space.bsize;
  const needed = withoutHoles.has(space.type) ? fullBytes : neededBytes;
  if (needed <= free) return;
  throw new RekindleError(
    'usage',
    `Writing ${file}: it needs up to ${formatBytes(needed)}, ${formatBytes(free)} are free in ${folder}`,
    { next: 'Free some space, or choose another disk.' },
  );
}
