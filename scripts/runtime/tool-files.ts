import { readFile, realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import type { CpioEntry } from '#driver-packs/cpio.ts';
import { partclonePrograms } from '#images/capture/used-blocks.ts';
import { koffiFile, koffiInRuntime } from '#runtime/hooks/windows/native/koffi.ts';
import { nodeBinary } from './single-executable.ts';

/** A program of Debian that the runtime calls, and the package it comes from. */
export type RuntimeProgram = readonly [path: string, debianPackage: string];

const tools: readonly RuntimeProgram[] = [
  ['/usr/sbin/blkid', 'util-linux'],
  ['/usr/bin/fallocate', 'util-linux'],
  // busybox's knows no size limit: volumes of a disk that has no table yet.
  ['/usr/sbin/losetup', 'mount'],
  ['/usr/bin/ntfs-3g', 'ntfs-3g'],
  ['/usr/bin/ntfsrecover', 'ntfs-3g'],
  ['/usr/bin/mtools', 'mtools'],
  ...[...new Set(Object.values(partclonePrograms))].map(
    (name) => [`/usr/sbin/${name}`, 'partclone'] as const,
  ),
];
/** Loaded by koffi, not by a program (recovery-runtime/src/hooks/windows/native). */
const hivexLibrary: RuntimeProgram = ['/usr/lib/x86_64-linux-gnu/libhivex.so.0', 'libhivex0'];
const busybox = '/bin/busybox';
const busyboxTool = { command: busybox, debianPackage: 'busybox-static' };
const ldd = { command: 'ldd', debianPackage: 'libc-bin' };
/** Unpacks the rest of the runtime, with every processor at once. */
export const pzstd: RuntimeProgram = ['/usr/bin/pzstd', 'zstd'];

/** Debian packages that a runtime is made of; scripts/debian-packages.txt installs them. */
export const runtimePackages: readonly string[] = [
  busyboxTool.debianPackage,
  ...[pzstd, hivexLibrary, ...tools].map(([, debianPackage]) => debianPackage),
];

/** What init and the executable start with: busybox with a link for each of its applets, pzstd, and their libraries. */
export async function startFiles(): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [
    { kind: 'file', path: 'bin/busybox', mode: 0o755, bytes: await readTool(busybox, 'busybox-static') },
    // The kernel calls /sbin/modprobe; everything else finds the rest through these as well.
    { kind: 'symlink', path: 'sbin', target: 'bin' },
    { kind: 'symlink', path: 'usr/bin', target: '../bin' },
    { kind: 'symlink', path: 'usr/sbin', target: '../bin' },
  ];
  const own = new Set(tools.map(([path]) => basename(path)));
  const listing = await runTool('listing the applets of busybox', busyboxTool, ['--list']);
  const applets = listing.split('\n').filter(Boolean);
  for (const applet of applets) {
    if (applet === 'busybox' || own.has(applet)) continue;
    entries.push({ kind: 'symlink', path: `bin/${applet}`, target: 'busybox' });
  }
  entries.push(...(await programEntries([pzstd])), ...(await libraryEntries(await startLibraries())));
  return entries;
}

/** The tools, and every shared library that they need beside those of the start. */
export async function toolFiles(): Promise<CpioEntry[]> {
  await readTool(...hivexLibrary);
  const atStart = new Set(await startLibraries());
  const libraries = (await baseLibraries()).filter((library) => !atStart.has(library));
  return [...(await programEntries(tools)), ...(await libraryEntries(libraries))];
}

/** What the program loads by its path, since a single executable cannot hold it. */
export async function nativeFiles(): Promise<CpioEntry[]> {
  const bytes = await readFile(koffiFile());
  return [{ kind: 'file', path: koffiInRuntime.slice(1), mode: 0o644, bytes }, ...(await characterSets())];
}

/**
 * libhivex reads the registry's names by iconv, mtools those of FAT, and glibc loads the character sets from here when
 * they are asked for: without them every key is absent, and no FAT is read. ldd does not see them.
 */
async function characterSets(): Promise<CpioEntry[]> {
  const folder = 'usr/lib/x86_64-linux-gnu/gconv';
  const known = (set: string, file: string) => [
    `module ${set}// INTERNAL ${file} 1`,
    `module INTERNAL ${set}// ${file} 1`,
  ];
  const list = [
    ...known('ISO-8859-1', 'ISO8859-1'),
    ...known('UTF-16LE', 'UTF-16'),
    'alias LATIN1// ISO-8859-1//',
    ...known('IBM850', 'IBM850'),
    'alias CP850// IBM850//',
  ];
  const modules = ['ISO8859-1.so', 'UTF-16.so', 'IBM850.so'].map(
    async (name): Promise<CpioEntry> => ({
      kind: 'file',
      path: `${folder}/${name}`,
      mode: 0o644,
      bytes: await readTool(`/${folder}/${name}`, 'libc6'),
    }),
  );
  const bytes = Buffer.from(`${list.join('\n')}\n`);
  return [
    ...(await Promise.all(modules)),
    { kind: 'file', path: `${folder}/gconv-modules`, mode: 0o644, bytes },
  ];
}

/** More programs, for an archive beside the base: with those libraries that the base does not have. */
export async function programFiles(programs: readonly RuntimeProgram[]): Promise<CpioEntry[]> {
  if (programs.length === 0) return [];
  const base = new Set(await baseLibraries());
  const needed = await sharedLibraries(programs.map(([path]) => path));
  const more = needed.filter((library) => !base.has(library));
  return [...(await programEntries(programs)), ...(await libraryEntries(more))];
}

function startLibraries(): Promise<string[]> {
  const [unpacker] = pzstd;
  return sharedLibraries([nodeBinary, unpacker]);
}

async function baseLibraries(): Promise<string[]> {
  const [hivex] = hivexLibrary;
  const needed = await sharedLibraries([nodeBinary, koffiFile(), hivex, ...tools.map(([path]) => path)]);
  return [...needed, hivex].sort();
}

async function programEntries(programs: readonly RuntimeProgram[]): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  for (const [path, debianPackage] of programs) {
    const bytes = await readTool(path, debianPackage);
    entries.push({ kind: 'file', path: `bin/${basename(path)}`, mode: 0o755, bytes });
  }
  return entries;
}

async function libraryEntries(libraries: readonly string[]): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  for (const library of libraries) {
    const bytes = await readFile(await realpath(library));
    entries.push({ kind: 'file', path: withoutUsr(library), mode: 0o755, bytes });
  }
  return entries;
}

/** Paths of the libraries and the dynamic loader, as the dynamic loader looks for them. */
export async function sharedLibraries(programs: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const program of programs) {
    const listing = await runTool(`finding the libraries of ${program}`, ldd, [program]);
    const missing = /^\s*(\S+) => not found/m.exec(listing)?.[1];
    if (missing !== undefined) {
      throw new RekindleError('usage', `${program} needs the library ${missing}, which is not installed`);
    }
    for (const [, path] of listing.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)) found.add(path as string);
  }
  return [...found].sort();
}

/** /lib and /usr/lib are one directory on Debian; the runtime has /lib. */
function withoutUsr(library: string): string {
  return library.replace(/^\/(usr\/)?/, '');
}

async function readTool(path: string, debianPackage: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new RekindleError('usage', `cannot read ${path} for the recovery runtime`, {
      cause,
      next: `install the Debian package ${debianPackage}: apt-get install ${debianPackage}`,
    });
  }
}
