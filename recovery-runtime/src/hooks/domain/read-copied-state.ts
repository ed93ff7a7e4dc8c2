import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import type { SystemStateFile, SystemStateManifest } from '#images/format/system-state-manifest.ts';
import { findPath } from '../windows/volume/find-path.ts';
import { isLocked } from '../windows/volume/locked-folder.ts';
import { copiedFolder, type FoundFolder, noteFile, parseNote } from './copied-state.ts';

const readBytes = 1 << 20;

/** Where the computer's folder is, or will be: names that differ in case only are one for Windows. */
export interface CopyFolder {
  readonly path: string;
  readonly windowsPath: string;
  /** Folders that are ours to make and to lock, from the top. One that is there for other computers, too, is not. */
  readonly made: readonly string[];
}

/** @throws RekindleError `target-unfit`: a junction or a link is in its place */
export function findFolder(root: string, computer: string): CopyFolder {
  const windowsPath = copiedFolder(computer);
  const [top, own] = [find(root, copiedFolder()), find(root, windowsPath)];
  const topPath = top ?? path.join(root, copiedFolder().slice(1));
  const ownPath = own ?? path.join(topPath, computer);
  const onlyOurs =
    top === undefined || fs.readdirSync(topPath).every((name) => path.join(topPath, name) === ownPath);
  return { path: ownPath, windowsPath, made: [...(onlyOurs ? [topPath] : []), ownPath] };
}

function find(root: string, windowsPath: string): string | undefined {
  const found = findPath(root, windowsPath);
  if (found.kind === 'refused')
    throw new RekindleError('target-unfit', `looking for ${windowsPath} on the drive`, {
      cause: new Error(found.why),
    });
  return found.kind === 'found' ? found.path : undefined;
}

/** Everything in it, whatever its depth; empty where there is no such folder. */
export function listFolder(folder: string): FoundFolder {
  const files: string[] = [];
  const odd: string[] = [];
  const look = (below: string): void => {
    for (const entry of fs.readdirSync(path.join(folder, below), { withFileTypes: true })) {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) look(name);
      else (entry.isFile() ? files : odd).push(name);
    }
  };
  if (fs.existsSync(folder)) look('');
  return { files, odd };
}

/** Empty: there is none. */
export function readNote(root: string): string {
  const file = path.join(root, noteFile);
  return fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() === true
    ? fs.readFileSync(file, 'utf8')
    : '';
}

/** Size and hash of what is there. @throws the signal's reason */
export async function isFileAsListed(
  at: string,
  { bytes, sha256 }: SystemStateFile,
  signal: AbortSignal,
  progress: (bytes: number) => void = () => {},
): Promise<boolean> {
  const there = fs.lstatSync(at, { throwIfNoEntry: false });
  if (there?.isFile() !== true || there.size !== bytes) return false;
  const hash = createHash('sha256');
  const memory = Buffer.allocUnsafeSlow(readBytes);
  await using handle = await open(at, 'r');
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(memory, 0, readBytes);
    if (bytesRead === 0) return hash.digest('hex') === sha256;
    hash.update(memory.subarray(0, bytesRead));
    progress(bytesRead);
  }
}

/** Below the computer's folder, those above others first. */
export function foldersOf({ files }: SystemStateManifest): string[] {
  const folders = files.flatMap(({ path: file }) => {
    const parts = file.split('/').slice(0, -1);
    return parts.map((_, depth) => parts.slice(0, depth + 1).join('/'));
  });
  return [...new Set(folders)].sort();
}

/**
 * What of the copy is not as it should be, a clause each; empty: all of it is. Reads every byte.
 * @throws the signal's reason
 */
export async function copiedStateWrong(
  root: string,
  manifest: SystemStateManifest,
  signal: AbortSignal,
  progress: (bytes: number) => void,
): Promise<string[]> {
  const folder = findFolder(root, manifest.computerName);
  const wrong: string[] = [];
  const note = parseNote(readNote(root));
  if (JSON.stringify(note) !== JSON.stringify(manifest)) wrong.push(`the note ${noteFile}`);
  const below = foldersOf(manifest).map((each) => path.join(folder.path, ...each.split('/')));
  const open = [path.join(root, noteFile), ...folder.made, ...below].filter(
    (each) => !fs.existsSync(each) || !isLocked(each),
  );
  wrong.push(...open.map((each) => `the lock of ${path.relative(root, each)}`));
  const { files, odd } = listFolder(folder.path);
  const listed = new Set(manifest.files.map((file) => file.path));
  wrong.push(
    ...[...odd, ...files.filter((file) => !listed.has(file))].map((file) => `the absence of ${file}`),
  );
  for (const file of manifest.files) {
    const at = path.join(folder.path, ...file.path.split('/'));
    if (!(await isFileAsListed(at, file, signal, progress))) wrong.push(file.path);
    else if (!isLocked(at)) wrong.push(`the lock of ${file.path}`);
  }
  return wrong;
}
