import { otherFilePath } from './boot-file.ts';
import { assertText, assertWord, lines } from './boot-script.ts';
import { type ChosenBoot, kernelPath, packPath, type RuntimeBoot, runtimePath } from './chosen-boot.ts';
import { menuItems, type OfferedSystem } from './other-systems.ts';

/** TFTP name under which PXELINUX asks for the configuration of one network card: 01 is Ethernet. */
export function pxelinuxConfigPath(mac: string): string {
  return `pxelinux.cfg/01-${mac.replaceAll(':', '-')}`;
}

const localDisk = [
  'LABEL local-disk',
  // The first disk's boot sector: many BIOSes do not come back from the network, which LOCALBOOT relies on.
  'COM32 chain.c32',
  'APPEND hd0 0',
];

/**
 * What one machine boots, as PXELINUX reads it (SYSLINUX manual, "Configuration file"). `base` is put before the path
 * of every large file: a URL for lpxelinux, `::` for TFTP.
 */
export function formatPxelinuxConfig(boot: ChosenBoot, base: string): string {
  switch (boot.kind) {
    case 'runtime':
      return lines(
        ...at('runtime'),
        `SAY Rekindle: ${assertText(boot.title)}`,
        'ONERROR local-disk',
        'LABEL runtime',
        ...startRuntime(boot, base),
        ...localDisk,
      );
    case 'local-disk':
      return lines(...at('local-disk'), ...localDisk);
    case 'refusal':
    case 'uuid-wanted':
      return lines(
        ...['DEFAULT local-disk', 'PROMPT 1', 'TIMEOUT 100'],
        `SAY Rekindle: ${assertText(boot.reason)}`,
        ...localDisk,
      );
    case 'other':
      return lines(...at('other'), 'LABEL other', ...startOther(boot.system, base), ...localDisk);
    case 'menu': {
      const { station, recovery, withoutKey, seconds } = boot;
      const others = boot.others.filter((each) => isForPxelinux(each));
      const items = menuItems(others, station).filter(
        ({ name }) => name !== 'recovery' || recovery.kind === 'runtime',
      );
      const bodyOf = (name: string): readonly string[] => {
        if (name === 'local-disk') return localDisk.slice(1);
        if (name === 'recovery') return recovery.kind === 'runtime' ? startRuntime(recovery, base) : [];
        return others.filter((each) => each.name === name).flatMap((each) => startOther(each, base));
      };
      return lines(
        'UI menu.c32',
        'MENU IMMEDIATE',
        `MENU TITLE Rekindle: ${label(station)}`,
        ...(recovery.kind === 'refusal'
          ? [`MENU MSGCOLOR 1\nSAY Rekindle: ${assertText(recovery.reason)}`]
          : []),
        `TIMEOUT ${seconds * 10}`,
        `ONTIMEOUT ${recovery.kind === 'refusal' ? 'local-disk' : withoutKey}`,
        ...items.flatMap(({ name, key, title }) => [
          `LABEL ${name}`,
          `MENU LABEL ^${key.toUpperCase()}  ${label(title)}`,
          ...(name === withoutKey ? ['MENU DEFAULT'] : []),
          ...bodyOf(name),
        ]),
      );
    }
  }
}

/** No prompt: what is named starts at once. */
function at(name: string): string[] {
  return [`DEFAULT ${name}`, 'PROMPT 0', 'NOESCAPE 1'];
}

function startRuntime({ pack, commandLine }: RuntimeBoot, base: string): string[] {
  return [
    `LINUX ${base}${kernelPath}`,
    `INITRD ${base}${runtimePath},${base}${packPath(pack)}`,
    `APPEND ${commandLine.map(assertWord).join(' ')}`,
  ];
}

/** A disk image and Windows PE need iPXE. */
function isForPxelinux({ system }: OfferedSystem): boolean {
  const { kind } = system(otherFilePath);
  return kind === 'linux' || kind === 'program';
}

function startOther(offered: OfferedSystem, base: string): string[] {
  const system = offered.system((file) => `${base}${otherFilePath(file)}`);
  if (system.kind === 'program') return [`LINUX ${system.biosUrl}`];
  if (system.kind !== 'linux') return [];
  return [
    `LINUX ${system.kernelUrl}`,
    ...(system.initrdUrls.length === 0 ? [] : [`INITRD ${system.initrdUrls.join(',')}`]),
    ...(system.commandLine.length === 0 ? [] : [`APPEND ${system.commandLine.map(assertWord).join(' ')}`]),
  ];
}

/** `^` would make a hot key. */
function label(text: string): string {
  return assertText(text).replaceAll('^', ' ');
}
