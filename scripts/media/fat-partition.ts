import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool, runTool } from '#base/run-tool.ts';
import type { MediumFile } from './medium-files.ts';

/**
 * A FAT file system inside of a disk or disk file, through mtools: nothing is mounted, and what else is on it is
 * not touched.
 */
export interface FatPartition {
  /** Device or file of the whole disk. */
  readonly disk: string;
  readonly startByte: number;
}

const tool = (command: string) => ({ command, debianPackage: 'mtools' });
/** Other systems' mkfs counts sectors in ways that mtools finds odd. */
const env = { ...(process.env as Record<string, string>), MTOOLS_SKIP_CHECK: '1' };
/** As mtools names it. */
export const at = ({ disk, startByte }: FatPartition): string => `${disk}@@${startByte}`;

/** Paths of all files and folders, folders with a slash at their end, without one at the beginning. */
export async function listFat(partition: FatPartition): Promise<string[]> {
  const doing = `reading the folders of ${partition.disk}`;
  const words = ['-/', '-a', '-b', '-i', at(partition), '::/'];
  const { status, stdout, stderr } = await callTool(doing, tool('mdir'), words, { env });
  // What mdir says of a file system with nothing in it.
  if (status !== 0 && /File "::\/" not found/.test(stderr)) return [];
  if (status !== 0)
    throw new RekindleError('target-unfit', doing, {
      cause: new Error(stderr.trim()),
      next: 'Check that file system: fsck.fat.',
    });
  return stdout
    .toString()
    .split('\n')
    .flatMap((line) => (line.startsWith('::/') ? [line.slice(3)] : []));
}

export async function freeBytesOnFat(partition: FatPartition): Promise<number> {
  const doing = `reading the free space of ${partition.disk}`;
  const text = await runTool(doing, tool('mdir'), ['-i', at(partition), '::/'], { env });
  const found = /^\s+([\d ]+) bytes free/m.exec(text)?.[1];
  if (found === undefined) throw new RekindleError('unexpected', `${doing}: mdir does not say it`);
  return Number(found.replaceAll(' ', ''));
}

/** Bytes of one cluster. */
export async function clusterBytesOfFat(partition: FatPartition): Promise<number> {
  const doing = `reading the boot sector of ${partition.disk}`;
  const text = await runTool(doing, tool('minfo'), ['-i', at(partition), '::'], { env });
  const number = (what: string): number => Number(new RegExp(`^${what}: (\\d+)`, 'm').exec(text)?.[1]);
  return number('sector size') * number('cluster size');
}

/** What these files, and folders (with a slash at their end) with all that is in them, take. */
export async function usedBytesOnFat(partition: FatPartition, paths: readonly string[]): Promise<number> {
  const doing = `measuring what is in the partition at byte ${partition.startByte} of ${partition.disk}`;
  let clusters = 0;
  for (const path of paths) {
    const name = `::/${path.replace(/\/$/, '')}`;
    const text = await runTool(doing, tool('mdu'), ['-s', '-i', at(partition), name], { env });
    clusters += Number(/ (\d+)\s*$/.exec(text)?.[1] ?? 0);
  }
  return clusters * (await clusterBytesOfFat(partition));
}

/** Files, and folders with all that is in them. */
export async function copyOntoFat(partition: FatPartition, files: readonly MediumFile[]): Promise<void> {
  const doing = `writing to the partition at byte ${partition.startByte} of ${partition.disk}`;
  const there = new Set((await listFat(partition)).map((path) => path.toLowerCase()));
  const makeFolders = async (folder: string): Promise<void> => {
    if (folder === '.' || there.has(`${folder}/`.toLowerCase())) return;
    await makeFolders(dirname(folder));
    await runTool(doing, tool('mmd'), ['-i', at(partition), `::/${folder}`], { env });
    there.add(`${folder}/`.toLowerCase());
  };
  for (const { path, source } of files) {
    await makeFolders(dirname(path));
    const words = ['-s', '-m', '-Q', '-o', '-i', at(partition), source, `::/${path}`];
    await runTool(doing, tool('mcopy'), words, { env });
  }
}

/** One file, or a folder with all that is in it, into `output`. */
async function copyFromFat(partition: FatPartition, path: string, output: string): Promise<void> {
  const doing = `reading ${path} of ${partition.disk}`;
  await runTool(doing, tool('mcopy'), ['-s', '-n', '-i', at(partition), `::/${path}`, output], { env });
}

/** Each of them at its place below `folder`. */
export async function extractFromFat(
  partition: FatPartition,
  paths: readonly string[],
  folder: string,
): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await copyFromFat(partition, path, join(folder, path));
  }
}

export async function makeFatFolder(partition: FatPartition, folder: string, work: string): Promise<void> {
  const keep = join(work, 'keep');
  await writeFile(keep, '');
  await copyOntoFat(partition, [{ path: `${folder}/keep`, source: keep }]);
  await removeFromFat(partition, [`${folder}/keep`]);
  await rm(keep);
}

/** Files, and folders (with a slash at their end) with all that is in them. */
export async function removeFromFat(partition: FatPartition, paths: readonly string[]): Promise<void> {
  const doing = `removing from the partition at byte ${partition.startByte} of ${partition.disk}`;
  for (const path of paths) {
    const isFolder = path.endsWith('/');
    const name = `::/${isFolder ? path.slice(0, -1) : path}`;
    await runTool(doing, tool(isFolder ? 'mdeltree' : 'mdel'), ['-i', at(partition), name], { env });
  }
}

/** Those of the folders that are empty; the others stay. Deepest first. */
export async function removeEmptyFolders(partition: FatPartition, folders: readonly string[]): Promise<void> {
  for (const folder of folders)
    await callTool('removing an empty folder', tool('mrd'), ['-i', at(partition), `::/${folder}`], { env });
}
