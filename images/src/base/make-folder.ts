import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isAbsent, isErrno } from './errno.ts';
import { RekindleError } from './errors.ts';

/** The second and third where somebody removes, meanwhile, what is above. */
const tries = 3;

/**
 * Makes a folder and those above it that are missing. Node's own recursive mkdir never ends where a file system takes no
 * folders and says ENOENT of it, as /proc does (Node 26): it takes that for a missing parent, and makes it again.
 * @returns the highest that was made; undefined: all were there
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<string | undefined> {
  let highest: string | undefined;
  for (let tried = 1; ; tried++) {
    const missing: string[] = [];
    for (let at = resolve(folder); !(await isFolder(at)); at = dirname(at)) missing.unshift(at);
    try {
      for (const each of missing) {
        await makeOne(each, mode);
        if (highest === undefined || each.length < highest.length) highest = each;
      }
      return highest;
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      if (tried === tries) throw notMade(folder, 'its file system takes no folders there', error);
    }
  }
}

async function makeOne(folder: string, mode: number): Promise<void> {
  try {
    await mkdir(folder, { mode });
  } catch (error) {
    // The file system takes no folders (mkdir(2)), or the one above is marked immutable (chattr +i).
    if (isErrno(error, 'EPERM')) throw notMade(folder, 'it may not be made there', error);
    // Somebody else has made it meanwhile.
    if (!isErrno(error, 'EEXIST') || !(await isFolder(folder))) throw error;
  }
}

const notMade = (folder: string, why: string, cause: unknown): RekindleError =>
  new RekindleError('usage', `Making the folder ${folder}: ${why}`, {
    cause,
    next: 'Name a place on a disk.',
  });

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
