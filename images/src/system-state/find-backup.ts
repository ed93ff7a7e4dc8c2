import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { parseUtc } from '../format/image-name.ts';
import { totalBytes } from '../format/system-state-room.ts';
import { findPathConflict, isWindowsName, isWindowsPath } from '../format/windows-path.ts';
import { backupFolder } from '../stores/system-state-files.ts';

/** What `wbadmin start systemstatebackup` has written, found and looked at; nothing of it is read or changed. */

export interface FoundBackup {
  /** wbadmin's folder of the computer. */
  readonly folder: string;
  /** As that folder is called. */
  readonly computerName: string;
  /** When it was taken: 20261120T020000Z. */
  readonly utc: string;
  readonly files: readonly SourceFile[];
  readonly bytes: number;
}

export interface SourceFile {
  /** Below the computer's folder, `/` between folders. */
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

/**
 * @param where the drive or share that has WindowsImageBackup, that folder, or the computer's in it
 * @throws RekindleError `usage` (it is no such backup), `not-found` (no backup of that computer there)
 */
export async function findBackup(
  where: string,
  computerName: string,
  now = new Date(),
): Promise<FoundBackup> {
  const folder = await findComputerFolder(path.resolve(where), computerName);
  const files = await listFiles(folder);
  const utc = takenAt(folder, files, now);
  return { folder, computerName: path.basename(folder), utc, files, bytes: totalBytes(files) };
}

async function findComputerFolder(where: string, computerName: string): Promise<string> {
  const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
  const foldersOf = async (folder: string): Promise<string[]> =>
    (await listFolder(folder)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const inside = await foldersOf(where);
  if (same(path.basename(where), computerName) && inside.some((name) => isBackupPart(name))) return where;
  const root = inside.find((name) => same(name, backupFolder));
  const folder = root === undefined ? where : path.join(where, root);
  const computers = root === undefined ? inside : await foldersOf(folder);
  const found = computers.find((name) => same(name, computerName));
  if (found !== undefined) return path.join(folder, found);
  if (root === undefined && !same(path.basename(where), backupFolder)) {
    const other = inside.some((name) => isBackupPart(name));
    throw new RekindleError(
      'not-found',
      other
        ? `Looking for a backup of ${computerName} in ${where}: this is the folder of another computer`
        : `Looking for a backup of ${computerName} in ${where}: there is no ${backupFolder}`,
      {
        next: `Name the drive or share that wbadmin wrote to, its ${backupFolder}, or ${computerName} in it.`,
      },
    );
  }
  const there = computers.length === 0 ? 'there is none' : `there is ${computers.slice(0, 5).join(', ')}`;
  throw new RekindleError('not-found', `Looking for a backup of ${computerName} in ${folder}: ${there}`, {
    next: 'wbadmin names the folder after the computer: check which station this backup is of.',
  });
}

const isBackupPart = (name: string): boolean => name === 'Catalog' || /^Backup \d{4}-/.test(name);

/** Windows Server 2008 is said to keep it one folder deeper; that was not seen. */
const partPattern = /^(?:SystemStateBackup\/)?(Backup (\d{4})-(\d\d)-(\d\d) (\d{6})|Catalog)\//;

function takenAt(folder: string, files: readonly SourceFile[], now: Date): string {
  const refuse = (why: string, next: string): never => {
    throw new RekindleError('usage', `Looking at the backup in ${folder}: ${why}`, { next });
  };
  const again = 'Let wbadmin end (wbadmin start systemstatebackup), then add it again.';
  const parts = files.map((file) => ({ file, match: partPattern.exec(file.path) }));
  const backups = new Map(
    parts.flatMap(({ match }) => (match?.[2] === undefined ? [] : [[match[1] ?? '', match] as const])),
  );
  const [first, ...others] = backups.values();
  if (first === undefined) return refuse('it has no folder "Backup YYYY-MM-DD HHMMSS"', again);
  if (others.length > 0)
    return refuse(
      `it has ${backups.size} backups (${[...backups.keys()].join(', ')}), and one is expected`,
      'Copy the folder, take the older ones out of the copy, and add that.',
    );
  const [, name, year, month, day, time] = first;
  const utc = `${year}${month}${day}T${time}Z`;
  const taken = parseUtc(utc);
  if (taken === null) return refuse(`"${name}" names no moment`, again);
  const dayMs = 86_400_000;
  if (taken.getTime() > now.getTime() + dayMs)
    return refuse(`"${name}" is in the future`, "Put the station's clock right, and make the backup again.");
  if (!parts.some(({ file, match }) => match?.[1] === name && /\.vhdx?$/i.test(file.path) && file.bytes > 0))
    return refuse(`"${name}" has no .vhd or .vhdx, so it is not complete`, again);
  if (!parts.some(({ match }) => match?.[1] === 'Catalog'))
    return refuse('it has no folder Catalog, so it is not complete', again);
  return utc;
}

/** @throws RekindleError `usage`: something there that a store does not keep */
export async function listFiles(folder: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  const walk = async (below: string): Promise<void> => {
    for (const entry of await listFolder(path.join(folder, below))) {
      const file = below === '' ? entry.name : `${below}/${entry.name}`;
      if (!isWindowsName(entry.name)) throw odd(folder, file, 'Windows has no files of that name');
      if (entry.isDirectory()) await walk(file);
      else if (entry.isFile()) {
        if (!isWindowsPath(file)) throw odd(folder, file, 'its path is too long');
        const { size, mtimeMs } = await lstat(path.join(folder, file));
        files.push({ path: file, bytes: size, modifiedMs: mtimeMs });
      } else throw odd(folder, file, 'it is neither a file nor a folder');
    }
  };
  await walk('');
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  const conflict = findPathConflict(files.map((file) => file.path));
  if (conflict !== undefined) throw odd(folder, conflict, 'for Windows there is another file of that name');
  return files;
}

function odd(folder: string, file: string, why: string): RekindleError {
  return new RekindleError('usage', `Looking at ${JSON.stringify(file)} in ${folder}: ${why}`, {
    next: 'Add the folder as wbadmin wrote it.',
  });
}

async function listFolder(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    throw new RekindleError('usage', `Looking for a backup in ${folder}`, {
      cause,
      next: 'Check the path, that the drive or share is mounted, and that you may read it.',
    });
  }
}
