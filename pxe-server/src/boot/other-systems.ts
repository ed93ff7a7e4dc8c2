import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import type { ConfiguredSystem } from '../config/boot-configuration.ts';
import type { Configuration } from '../config/configuration.ts';
import type { OtherSystem } from './boot-choice.ts';
import type { MenuItem } from './boot-menu.ts';

/** A system that the menu offers beside recovery and local disk. */
export interface OfferedSystem {
  readonly name: string;
  readonly title: string;
  /** Its files: path below `/boot/other/` to where the file is. */
  readonly files: ReadonlyMap<string, string>;
  /** What iPXE has to do, with URLs made of these paths. */
  system(url: (path: string) => string): OtherSystem;
}

/** Where Debian's package memtest86+ puts its images. */
const memtestFolder = '/boot';
const memtestFiles = { biosUrl: 'memtest86+x64.bin', efiUrl: 'memtest86+x64.efi' };

export interface OfferedTo {
  /** Name of the station whose menu it is; absent: what everybody gets. */
  readonly station?: string;
  readonly memtest?: string;
}

/** What is configured, and Debian's memory test where it is installed. */
export function offeredSystems(
  { boot }: Pick<Configuration, 'boot'>,
  bootFolder: string,
  { station, memtest = memtestFolder }: OfferedTo = {},
): OfferedSystem[] {
  const files = Object.values(memtestFiles);
  const hasMemtest = files.every((file) => existsSync(join(memtest, file)));
  const memoryTest: OfferedSystem = {
    name: 'memory-test',
    title: 'Memory test (memtest86+)',
    files: new Map(files.map((file) => [file, join(memtest, file)])),
    system: (url) => ({
      kind: 'program',
      biosUrl: url(memtestFiles.biosUrl),
      efiUrl: url(memtestFiles.efiUrl),
    }),
  };
  const configured = boot.systems.map((common): OfferedSystem => {
    const each = withOwnFiles(common, bootFolder, station);
    return {
      name: each.name,
      title: each.title,
      files: new Map(filesOf(each).map((file) => [`${each.name}/${file}`, join(bootFolder, file)])),
      system: (url) => systemOf(each, (file) => url(`${each.name}/${file}`)),
    };
  });
  return [...(hasMemtest ? [memoryTest] : []), ...configured];
}

/**
 * A station whose Windows PE has drivers of its own gets that: `boot-OS-SRV-1A.wim` beside `boot.wim`. Windows PE has
 * no second initrd for drivers, so each such station has a whole file.
 */
function ownFileName(file: string, station: string): string {
  return file.replace(/(\.[^./]*)?$/, `-${station}$1`);
}

function withOwnFiles(
  system: ConfiguredSystem,
  bootFolder: string,
  station: string | undefined,
): ConfiguredSystem {
  if (system.kind !== 'winpe' || station === undefined) return system;
  const own = ownFileName(system.bootWim, station);
  return existsSync(join(bootFolder, own)) ? { ...system, bootWim: own } : system;
}

/** The file behind a path below `/boot/other/`: of what everybody gets, or of the Windows PE of a station. */
export function findOtherFile(
  configuration: Pick<Configuration, 'boot'>,
  bootFolder: string,
  wanted: string,
): { readonly title: string; readonly file: string } | undefined {
  for (const { title, files } of offeredSystems(configuration, bootFolder)) {
    const file = files.get(wanted);
    if (file !== undefined) return { title, file };
  }
  for (const system of configuration.boot.systems) {
    if (system.kind !== 'winpe') continue;
    const [before = '', after = ''] = ownFileName(`${system.name}/${system.bootWim}`, '\n').split('\n');
    if (!wanted.startsWith(before) || !wanted.endsWith(after)) continue;
    const station = wanted.slice(before.length, wanted.length - after.length);
    if (!stationNameSchema.safeParse(station).success) continue;
    return { title: system.title, file: join(bootFolder, ownFileName(system.bootWim, station)) };
  }
  return undefined;
}

function filesOf(system: ConfiguredSystem): string[] {
  switch (system.kind) {
    case 'linux':
      return [system.kernel, ...system.initrds];
    case 'iso':
      return [system.file];
    case 'winpe':
      return [system.wimboot, system.bcd, system.bootSdi, system.bootWim];
  }
}

function systemOf(system: ConfiguredSystem, url: (file: string) => string): OtherSystem {
  switch (system.kind) {
    case 'linux':
      return {
        kind: 'linux',
        kernelUrl: url(system.kernel),
        initrdUrls: system.initrds.map(url),
        commandLine: system.commandLine.split(/\s+/).filter((word) => word !== ''),
      };
    case 'iso':
      return { kind: 'iso', url: url(system.file) };
    case 'winpe':
      return {
        kind: 'winpe',
        wimbootUrl: url(system.wimboot),
        files: { BCD: url(system.bcd), 'boot.sdi': url(system.bootSdi), 'boot.wim': url(system.bootWim) },
      };
  }
}

/** Recovery and local disk first, then the others: M for the memory test, 1 to 9 and a to k for what is configured. */
export function menuItems(others: readonly OfferedSystem[], station: string): MenuItem[] {
  const keys = [...'123456789abcdefghijk'];
  return [
    { name: 'recovery', key: 'r', title: `Recovery of ${station}` },
    { name: 'local-disk', key: 'l', title: 'Start from the local disk' },
    ...others.map(({ name, title }) => ({
      name,
      title,
      key: name === 'memory-test' ? 'm' : (keys.shift() ?? '0'),
    })),
  ];
}
