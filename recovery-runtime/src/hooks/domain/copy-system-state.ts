import fs from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import type { ImageName } from '#images/format/image-name.ts';
import type { SystemStateFile, SystemStateManifest } from '#images/format/system-state-manifest.ts';
import { roomForFiles, totalBytes } from '#images/format/system-state-room.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { readSystemStateFile } from '#images/stores/system-state-file.ts';
import { isLocked, lock } from '../windows/volume/locked-folder.ts';
import { copiedFolder, formatNote, judgeFound, noteFile, parseNote } from './copied-state.ts';
import { progressInWords } from './copy-progress.ts';
import { findFolder, foldersOf, isFileAsListed, listFolder, readNote } from './read-copied-state.ts';

export interface StateCopy {
  readonly source: StoreRef;
  readonly name: ImageName;
  readonly manifest: SystemStateManifest;
  /** D: */
  readonly drive: string;
  /** The drive is mounted here. */
  readonly root: string;
  readonly signal: AbortSignal;
  say(sentence: string): void;
}

export const anotherPlace =
  'Name another drive in its hook plan (systemState.drive), or plug in a drive with the backup and set `from: backup`.';

/** Memory must not take gigabytes that the disk then needs minutes for: neither progress nor the end would be true. */
const syncEveryBytes = 256 << 20;

/**
 * Puts the state where wbadmin looks for it. Twice is like once: what an interrupted try has copied and is right stays.
 * Whatever the folder holds that no note of ours names is nobody's to change.
 * @throws RekindleError; the signal's reason
 */
export async function copySystemState(copy: StateCopy): Promise<void> {
  const { manifest, root, drive, signal, say } = copy;
  const folder = findFolder(root, manifest.computerName);
  const note = parseNote(readNote(root));
  const found = judgeFound(listFolder(folder.path), note, manifest);
  if (found.kind === 'foreign')
    throw refuse(copy, `there is another ${folder.windowsPath} on it already: ${found.why}`);
  if (found.kind === 'ours')
    for (const file of found.leftover) fs.rmSync(path.join(folder.path, ...file.split('/')));
  if (note !== undefined) removeEmptied(folder.path, note, manifest);
  assertRoom(copy, folder.path);
  writeNote(path.join(root, noteFile), formatNote(manifest));
  const below = foldersOf(manifest).map((each) => path.join(folder.path, ...each.split('/')));
  for (const each of [...folder.made, ...below]) makeLockedFolder(each);
  const what = `Copying the system state to ${drive}`;
  const progress = progressInWords(what, totalBytes(manifest.files), say);
  say(`${what}: ${formatBytes(totalBytes(manifest.files))} in ${manifest.files.length} file(s).`);
  for (const file of manifest.files) {
    signal.throwIfAborted();
    const at = path.join(folder.path, ...file.path.split('/'));
    if (await isFileAsListed(at, file, signal)) {
      if (!isLocked(at)) lock(at);
      progress(file.bytes);
      continue;
    }
    await writeFile(copy, at, file, progress);
  }
}

const refuse = ({ drive, manifest }: StateCopy, why: string): RekindleError =>
  new RekindleError(
    'target-unfit',
    `copying the system state of ${manifest.takenAt} to ${drive}${copiedFolder(manifest.computerName)}`,
    { cause: new Error(why), next: anotherPlace },
  );

/** A folder `Backup …` of the earlier state would look like another backup to whoever removes the copy. */
function removeEmptied(folder: string, earlier: SystemStateManifest, wanted: SystemStateManifest): void {
  const stays = new Set(foldersOf(wanted));
  for (const each of foldersOf(earlier).reverse()) {
    const at = path.join(folder, ...each.split('/'));
    if (!stays.has(each) && fs.existsSync(at) && fs.readdirSync(at).length === 0) fs.rmdirSync(at);
  }
}

/** What is there already, right or half, is room that the copy has. */
function assertRoom(copy: StateCopy, folder: string): void {
  const sizeOf = ({ path: file }: SystemStateFile): number =>
    fs.statSync(path.join(folder, ...file.split('/')), { throwIfNoEntry: false })?.size ?? 0;
  const { bavail, bsize } = fs.statfsSync(copy.root);
  const { files } = copy.manifest;
  const there = files.reduce((sum, file) => sum + sizeOf(file), 0);
  const free = bavail * bsize + there;
  const needed = roomForFiles(files);
  if (free >= needed) return;
  throw refuse(copy, `it has room for ${formatBytes(free)}, and ${formatBytes(needed)} are needed`);
}

/** One rename: a note that is there names every file that was ever copied. */
function writeNote(file: string, text: string): void {
  const fresh = `${file}.new`;
  // Whatever has that name is not written through: it could be a link.
  fs.rmSync(fresh, { force: true });
  const fd = fs.openSync(fresh, 'wx', 0o600);
  try {
    lock(fresh);
    fs.writeFileSync(fd, text);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(fresh, file);
}

/** Locked before anything is in it: the directory's database is below. */
function makeLockedFolder(folder: string): void {
  if (!fs.existsSync(folder)) fs.mkdirSync(folder, { mode: 0o700 });
  if (!isLocked(folder)) lock(folder);
}

async function writeFile(
  copy: StateCopy,
  at: string,
  file: SystemStateFile,
  progress: (bytes: number) => void,
): Promise<void> {
  const { source, name, manifest, signal } = copy;
  let unsynced = 0;
  try {
    fs.rmSync(at, { force: true });
    await using handle = await open(at, 'wx', 0o600);
    lock(at);
    for await (const bytes of readSystemStateFile(source, name, manifest, file, signal)) {
      for (let written = 0; written < bytes.length; )
        written += (await handle.write(bytes, written)).bytesWritten;
      unsynced += bytes.length;
      if (unsynced >= syncEveryBytes) {
        await handle.sync();
        unsynced = 0;
      }
      progress(bytes.length);
    }
    await handle.sync();
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof RekindleError) throw cause;
    throw refuse(
      copy,
      `${file.path} could not be written: ${cause instanceof Error ? cause.message : cause}`,
    );
  }
}
