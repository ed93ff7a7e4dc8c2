import { hash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { callTool, runTool } from '#base/run-tool.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { parseInf } from './inf-file.ts';
import { matchDrivers, type WindowsDriver, type WinpeCoverageRow } from './match-inf.ts';

const wimlib = { command: 'wimlib-imagex', debianPackage: 'wimtools' };

/** Where things lie in the image. */
const folderInWim = '/rekindle';
const driversInWim = `${folderInWim}/drivers`;
const manifestInWim = `${folderInWim}/winpe-pack.json`;
const startnet = '/Windows/System32/startnet.cmd';
const loader = '/Windows/System32/rekindle-drivers.cmd';

/** WinPE has no DISM at run time; drvload takes an INF and starts its device at once. */
const loaderText = [
  '@echo off',
  'rem Loads the drivers of this station (Rekindle), before wpeinit looks for a network.',
  'for /r X:\\rekindle\\drivers %%i in (*.inf) do drvload "%%i"',
  '',
].join('\r\n');
const callLoader = 'call %SystemRoot%\\System32\\rekindle-drivers.cmd';

const winpeManifestSchema = z.strictObject({
  formatVersion: z.literal(1),
  station: z.string(),
  files: z.array(z.strictObject({ path: z.string(), bytes: z.int(), sha256: z.string() })),
});

export interface WinpePack {
  readonly rows: readonly WinpeCoverageRow[];
  /** A sentence for each device without a driver, and each driver that is not whole. */
  readonly missing: readonly string[];
}

export interface BuiltWinpe extends WinpePack {
  readonly output: string;
  readonly files: number;
}

/** Every INF below a folder that is one. */
async function readDriverFolder(folder: string): Promise<WindowsDriver[]> {
  const names = (await readdir(folder, { recursive: true })).sort();
  const found = names
    .filter((name) => /\.inf$/i.test(name))
    .map(async (path): Promise<WindowsDriver | undefined> => {
      const inf = parseInf(await readFile(join(folder, path)));
      return inf === undefined ? undefined : { path, inf };
    });
  return (await Promise.all(found)).filter((driver) => driver !== undefined);
}

/**
 * Puts the drivers that a station needs, and no others, into a copy of a boot.wim, with a line in startnet.cmd that
 * loads them. The original is not touched; what was there of an earlier pack is replaced.
 * @throws RekindleError `usage`: no WIM, or a folder without INF files
 */
export async function buildWinpePack(options: {
  readonly station: string;
  readonly passport: HardwarePassport;
  readonly bootWim: string;
  readonly driverFolder: string;
  readonly output: string;
}): Promise<BuiltWinpe> {
  const { station, passport, bootWim, driverFolder, output } = options;
  const drivers = await readDriverFolder(driverFolder);
  if (drivers.length === 0) {
    throw new RekindleError(
      'usage',
      `Building the WinPE pack of ${station}: no INF file below ${driverFolder}`,
      {
        next: "Unpack the vendor's driver (not its setup program) into that folder.",
      },
    );
  }
  const rows = matchDrivers(passport, drivers);
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-winpe-'));
  const partial = `${output}.partial`;
  try {
    await copyFile(bootWim, partial);
    const image = await bootIndex(partial);
    const commands = [`delete --force --recursive ${folderInWim}`];
    const stage = async (path: string, bytes: Uint8Array) => {
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, bytes);
    };
    const files: z.infer<typeof winpeManifestSchema>['files'] = [];
    for (const source of driverFolders(rows)) {
      for (const name of (await readdir(join(driverFolder, source))).sort()) {
        const path = join(source, name);
        const bytes = await readFile(join(driverFolder, path)).catch(() => undefined);
        // A folder below a driver's own is another driver's.
        if (bytes === undefined) continue;
        files.push({ path, bytes: bytes.length, sha256: hash('sha256', bytes) });
        await stage(join(driversInWim, path), bytes);
      }
    }
    const manifest = winpeManifestSchema.parse({ formatVersion: 1, station, files });
    await stage(manifestInWim, Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`));
    await stage('loader', Buffer.from(loaderText));
    await stage('startnet', Buffer.from(withCall(await extract(partial, image, startnet))));
    await makeTimeless(folder);
    for (const [source, target] of [
      [folderInWim, folderInWim],
      ['loader', loader],
      ['startnet', startnet],
    ] as const)
      commands.push(`add ${quoted(join(folder, source))} ${quoted(target)}`);
    await runTool(`putting drivers into ${output}`, wimlib, ['update', partial, image], {
      input: Buffer.from(`${commands.join('\n')}\n`),
    });
    // wimlib notes when it changed the image; the same input is to give the same bytes.
    await runTool(`putting drivers into ${output}`, wimlib, [
      ...['info', partial, image],
      ...['HIGH', 'LOW'].map(
        (part) => `--image-property=LASTMODIFICATIONTIME/${part}PART=${fixedTime[part]}`,
      ),
    ]);
    await runTool(`verifying ${output}`, wimlib, ['verify', partial]);
    await rename(partial, output);
    return { rows, missing: await missingOf(rows, driverFolder), output, files: files.length };
  } finally {
    await rm(partial, { force: true });
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * The proof from the image alone: what is in it is what its manifest says, startnet.cmd loads it, and its INF files
 * cover the station.
 * @throws RekindleError `not-found`: no pack in it
 */
export async function checkWinpePack(
  wim: string,
  passport: HardwarePassport,
): Promise<WinpePack & { readonly station: string }> {
  const image = await bootIndex(wim);
  const text = await extract(wim, image, manifestInWim);
  if (text === undefined) {
    throw new RekindleError('not-found', `Checking ${wim}: there are no drivers of Rekindle in it`, {
      next: 'Put them in: rekindle driver-pack build STATION --winpe boot.wim --drivers FOLDER --output FILE.wim',
    });
  }
  const manifest = winpeManifestSchema.parse(JSON.parse(text));
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-winpe-'));
  try {
    await runTool(`reading ${wim}`, wimlib, [
      'extract',
      wim,
      image,
      folderInWim,
      `--dest-dir=${folder}`,
      '--no-acls',
    ]);
    const drivers = join(folder, 'rekindle/drivers');
    const damaged: string[] = [];
    for (const { path, sha256 } of manifest.files) {
      const bytes = await readFile(join(drivers, path)).catch(() => undefined);
      if (bytes === undefined) damaged.push(`${path} is not in it any more`);
      else if (hash('sha256', bytes) !== sha256) damaged.push(`${path} is not what was put in`);
    }
    const calls = (await extract(wim, image, startnet))?.includes(callLoader) === true;
    const rows = matchDrivers(passport, await readDriverFolder(drivers).catch(() => []));
    const missing = [
      ...(await missingOf(rows, drivers)),
      ...damaged,
      ...(calls ? [] : ['startnet.cmd does not load the drivers']),
    ];
    return { station: manifest.station, rows, missing };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Folders of the chosen drivers: everything beside an INF belongs to it. */
function driverFolders(rows: readonly WinpeCoverageRow[]): string[] {
  const folders = rows.flatMap(({ driver }) =>
    driver === undefined || driver === 'in-box' ? [] : [dirname(driver.path)],
  );
  return [...new Set(folders)].sort();
}

async function missingOf(rows: readonly WinpeCoverageRow[], folder: string): Promise<string[]> {
  const missing: string[] = [];
  for (const { className, id, slot, driver } of rows) {
    if (driver === undefined) missing.push(`${className} ${id} (${slot}) has no driver for WinPE`);
    if (driver === undefined || driver === 'in-box') continue;
    const beside = await readdir(join(folder, dirname(driver.path)));
    const names = new Set(beside.map((name) => name.toLowerCase()));
    const { files, catalog } = driver.inf;
    for (const file of [...files, ...(catalog === undefined ? [] : [catalog.toLowerCase()])])
      if (!names.has(file)) missing.push(`${driver.path} needs ${file}, which is not beside it`);
  }
  return [...new Set(missing)];
}

/** The image that the boot manager starts; the first when none is marked. */
async function bootIndex(wim: string): Promise<string> {
  const { status, stdout, stderr } = await callTool(`reading ${wim}`, wimlib, ['info', wim]);
  if (status !== 0) {
    throw new RekindleError('usage', `Reading ${wim}: it is no Windows image`, {
      cause: new Error(stderr.trim()),
      next: 'Name the boot.wim of a Windows PE (ADK) or of an installation medium (sources/boot.wim).',
    });
  }
  const [, index = '0'] = /^Boot Index:\s+(\d+)/m.exec(stdout.toString()) ?? [];
  return index === '0' ? '1' : index;
}

async function extract(wim: string, image: string, path: string): Promise<string | undefined> {
  const { status, stdout } = await callTool(`reading ${path} of ${wim}`, wimlib, [
    ...['extract', wim, image, path, '--to-stdout'],
  ]);
  return status === 0 ? stdout.toString('latin1') : undefined;
}

/** startnet.cmd with our line before everything that does something; once, however often it is built. */
export function withCall(text: string | undefined): string {
  const lines = (text ?? 'wpeinit\r\n').split(/\r?\n/).filter((line) => line.trim() !== callLoader);
  const at = lines.findIndex((line) => line.trim() !== '' && !/^\s*@echo off/i.test(line));
  lines.splice(at < 0 ? lines.length : at, 0, callLoader);
  return lines.join('\r\n');
}

/** Files and folders get the time of the packs' archives (cpio.ts): 1970; wimlib keeps the times that it finds. */
async function makeTimeless(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) await utimes(join(folder, name), 0, 0);
}

/** 1970-01-01 as Windows counts, 100 ns since 1601. */
const fixedTime: Readonly<Record<string, string>> = { HIGH: '0x019DB1DE', LOW: '0xD53E8000' };

/** As wimlib's command language has it: no backslash escapes, so a path must not hold the quote itself. */
function quoted(path: string): string {
  if (path.includes('"'))
    throw new RekindleError('usage', `A driver's path holds a quotation mark: ${relative('.', path)}`);
  return `"${path}"`;
}
