import { statSync } from 'node:fs';
import { otherFilePath } from '../boot/boot-file.ts';
import { kernelPath, packPath, runtimePath } from '../boot/chosen-boot.ts';
import { formatGrubConfig, grubConfigPath, grubStart, grubStartPath } from '../boot/grub-config.ts';
import type { LoaderName } from '../boot/loader-name.ts';
import { type MacAddress, parseMacAddress } from '../boot/mac-address.ts';
import { findOtherFile } from '../boot/other-systems.ts';
import { formatPxelinuxConfig, pxelinuxConfigPath } from '../boot/pxelinux-config.ts';
import type { ServedFile, ServedFiles } from '../tftp/served-file.ts';
import { type BootChoiceContext, chooseBoot } from './choose-boot.ts';
import { packFile } from './station-pack.ts';

export interface TftpFilesOptions extends BootChoiceContext {
  readonly loaders: ReadonlyMap<LoaderName, Uint8Array>;
  /** How machines on this interface reach us. */
  readonly httpBaseUrl: string;
  readonly apiUrl: string;
}

/**
 * Everything that TFTP serves: the loaders, and for GRUB and PXELINUX what iPXE gets by HTTP. Names are those of fixed
 * lists or made of a station's name or MAC address; none is a path of this computer.
 */
export function createTftpFiles(options: TftpFilesOptions): ServedFiles {
  const { loaders, paths, configuration } = options;
  const fixed = new Map<string, ServedFile>([
    ...Array.from(loaders, ([name, bytes]): [string, ServedFile] => [name, { bytes }]),
    [grubStartPath, { bytes: Buffer.from(grubStart), what: 'how to ask what it boots' }],
  ]);
  return {
    get(name) {
      return (
        fixed.get(name) ??
        bootConfiguration(options, name) ??
        fileAt(pathOf(`/${name}`, paths, configuration))
      );
    },
  };
}

/** The menu or the script of one machine, as it is now. */
function bootConfiguration(options: TftpFilesOptions, name: string): ServedFile | undefined {
  const { httpBaseUrl, apiUrl } = options;
  const text = /^(?:grub\/|pxelinux\.cfg\/01-)([0-9A-Fa-f:-]{17})(?:\.cfg)?$/.exec(name)?.[1];
  const mac = text === undefined ? undefined : parseMacAddress(text);
  if (mac === undefined) return undefined;
  const { boot, sentence } = chooseBoot(options, { mac, apiUrl });
  const what = `${name}, and ${sentence}`;
  if (name === grubConfigPath(mac)) return { bytes: Buffer.from(formatGrubConfig(boot)), what };
  if (name.toLowerCase() !== pxelinuxConfigPath(mac)) return undefined;
  const base = loaderOf(options, mac) === 'pxelinux' ? '::' : httpBaseUrl;
  return { bytes: Buffer.from(formatPxelinuxConfig(boot, base)), what };
}

function loaderOf({ decider }: TftpFilesOptions, mac: MacAddress) {
  const target = decider.targetFor({ mac, firmwareKind: 'bios' });
  return target.kind === 'not-for-us' ? undefined : target.loader;
}

/** The file behind a path of the boot files; the same paths as by HTTP. */
function pathOf(
  path: string,
  paths: TftpFilesOptions['paths'],
  configuration: TftpFilesOptions['configuration'],
): string | undefined {
  if (path === kernelPath) return paths.kernel;
  if (path === runtimePath) return paths.runtimeImage;
  const pack = /^\/boot\/packs\/([A-Za-z0-9-]{1,63})\.img$/.exec(path)?.[1];
  if (pack !== undefined && path === packPath(pack)) return packFile(paths, pack);
  const other = otherFilePath('');
  if (!path.startsWith(other)) return undefined;
  return findOtherFile(configuration, paths.boot, path.slice(other.length))?.file;
}

function fileAt(path: string | undefined): ServedFile | undefined {
  if (path === undefined) return undefined;
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  return size === undefined ? undefined : { path, size };
}
