import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { findPath, requirePath } from '../volume/find-path.ts';
import { isLocked, lock } from '../volume/locked-folder.ts';

/** Files by their names below the staged folder, with backslashes: `steps\01-sql\command`. */
export type StagedFiles = ReadonlyMap<string, Uint8Array>;

/**
 * Puts a folder into the restored Windows that SYSTEM and administrators alone may read or change. Twice is like
 * once: what an earlier, interrupted restore put there is replaced whole.
 * @param folder its Windows path, without a drive: `\Windows\Rekindle`. The folder above it has to be there.
 */
export function stageFiles(root: string, folder: string, files: StagedFiles): void {
  const at = folder.lastIndexOf('\\');
  const above = requirePath(root, folder.slice(0, at));
  const found = findPath(root, folder);
  if (found.kind === 'refused') {
    throw new RekindleError('verification-failed', `making ${folder} on the restored Windows volume`, {
      cause: new Error(found.why),
      next: 'Remove what is in its place on the station, and take a new image.',
    });
  }
  if (found.kind === 'found') fs.rmSync(found.path, { recursive: true });
  const target = path.join(above, folder.slice(at + 1));
  // Locked before anything is in it: there is no moment in which somebody else could open a file.
  makeLockedFolder(target);
  for (const [name, bytes] of files) {
    const parts = name.split('\\');
    for (let depth = 1; depth < parts.length; depth++)
      makeLockedFolder(path.join(target, ...parts.slice(0, depth)));
    const file = path.join(target, ...parts);
    const fd = fs.openSync(file, 'wx', 0o600);
    try {
      lock(file);
      for (let written = 0; written < bytes.length; ) written += fs.writeSync(fd, bytes, written);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }
}

function makeLockedFolder(folder: string): void {
  if (fs.existsSync(folder)) return;
  fs.mkdirSync(folder, { mode: 0o700 });
  lock(folder);
}

/** What is not as it was staged, a clause each; empty: all of it is. */
export function stagedFilesWrong(root: string, folder: string, files: StagedFiles): string[] {
  const found = findPath(root, folder);
  if (found.kind !== 'found') return [`${folder} is not there`];
  const wrong = isLocked(found.path) ? [] : [`${folder} is open to others`];
  for (const [name, bytes] of files) {
    const file = path.join(found.path, ...name.split('\\'));
    if (!fs.existsSync(file)) wrong.push(`${name} is not there`);
    else if (!fs.readFileSync(file).equals(bytes)) wrong.push(`${name} is not what was written`);
    else if (!isLocked(file)) wrong.push(`${name} is open to others`);
  }
  return wrong;
}
