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
      if (tried === tries) throw noFolders(folder, error);
    }
  }
}

async function makeOne(folder: string, mode: number): Promise<void> {
  try {
    await mkdir(folder, { mode });
  } catch (error) {
    // "does not support the creation of directories" (mkdir(2)).
    if (isErrno(error, 'EPERM')) throw noFolders(folder, error);
    // Somebody else has made it meanwhile.
    if (!isErrno(error, 'EEXIST') || !(await isFolder(folder))) throw error;
  }
}

const noFolders = (folder: string, cause: unknown): RekindleError =>
  new RekindleError('usage', `Making the folder ${folder}: its file system takes no folders there`, {
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
