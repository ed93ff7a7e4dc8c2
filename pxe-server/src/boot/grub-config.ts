import { otherFilePath } from './boot-file.ts';
import { assertText, assertWord, lines } from './boot-script.ts';
import { type ChosenBoot, kernelPath, packPath, type RuntimeBoot, runtimePath } from './chosen-boot.ts';
import type { OfferedSystem } from './other-systems.ts';
import { menuItems } from './other-systems.ts';

/**
 * What signed GRUB runs. It asks for `grub/grub.cfg`, the same for everybody, which asks for the file of the network
 * card that the firmware booted from.
 */
export const grubStartPath = 'grub/grub.cfg';

/** TFTP name of what this machine boots; GRUB writes its MAC address with colons. */
export function grubConfigPath(mac: string): string {
  return `grub/${mac}.cfg`;
}

/** Where installed systems have their boot loaders, in the order in which they are tried. */
const installedLoaders = [
  '/EFI/Microsoft/Boot/bootmgfw.efi',
  ...['debian', 'ubuntu', 'redhat', 'sles'].map((name) => `/EFI/${name}/shimx64.efi`),
  '/EFI/debian/grubx64.efi',
];
/** A medium has one there too. */
const removableLoader = '/EFI/BOOT/BOOTX64.EFI';

/** Starts the first of these boot loaders that a disk has and that starts; UEFI only. */
export function startLoaderOfDisk(more: readonly string[] = []): string[] {
  return [
    'set before=$root',
    `for loader in ${[...installedLoaders, ...more].join(' ')}; do`,
    // A loader is told that it comes from `root`, whatever it is read from, and looks there for the rest of it.
    '  if search --no-floppy --file --set=root $loader; then',
    '    if chainloader $loader; then echo "Rekindle: $loader of $root"; boot; fi',
    '  fi',
    'done',
    'set root=$before',
  ];
}

/**
 * `grub/grub.cfg`. The local disk is started from here: GRUB cannot end with an error, and after one that ends well
 * firmware opens its setup menu (UEFI 2.10 section 3.1.1) instead of trying the next boot option.
 */
export const grubStart = lines(
  'set pager=0',
  'function local_disk {',
  '  echo "Rekindle: starting from the local disk"',
  ...startLoaderOfDisk([removableLoader]).map((line) => `  ${line}`),
  '  echo "Rekindle: no disk of this machine has a boot loader; the firmware goes on."',
  '  sleep 3',
  '  exit',
  '}',
  'if source $prefix/$net_default_mac.cfg; then true; else',
  '  echo "Rekindle: the recovery service does not say what this machine boots."',
  '  sleep 5',
  '  local_disk',
  'fi',
);

/** What one machine boots, in GRUB's language. */
export function formatGrubConfig(boot: ChosenBoot): string {
  switch (boot.kind) {
    case 'runtime':
      return lines(...startRuntime(boot));
    case 'local-disk':
      return lines('local_disk');
    case 'refusal':
    case 'uuid-wanted':
      return lines(...refuse(boot.reason), 'local_disk');
    case 'other':
      return lines(...startOther(boot.system), 'local_disk');
    case 'menu': {
      const { station, recovery, others, withoutKey, seconds } = boot;
      const bodyOf = (name: string): readonly string[] => {
        if (name === 'local-disk') return ['local_disk'];
        if (name !== 'recovery')
          return others.filter((each) => each.name === name).flatMap((each) => startOther(each));
        return recovery.kind === 'runtime'
          ? startRuntime(recovery)
          : [...refuse(recovery.reason), 'local_disk'];
      };
      return lines(
        `set timeout=${seconds}`,
        `set default=${withoutKey}`,
        ...menuItems(others.filter(isForGrub), station).flatMap(({ name, key, title }) => [
          `menuentry ${quote(`${key.toUpperCase()}  ${assertText(title)}`)} --id ${name} --hotkey=${key} {`,
          ...bodyOf(name).map((line) => `  ${line}`),
          '}',
        ]),
      );
    }
  }
}

/** Seconds until a failed load is tried again without anybody at the keyboard. */
const retrySeconds = 15;

function startRuntime({ title, pack, commandLine }: RuntimeBoot): string[] {
  return [
    'while true; do',
    `  echo ${quote(`Rekindle: ${assertText(title)}`)}`,
    `  if linux ${kernelPath} ${commandLine.map((word) => quote(assertWord(word))).join(' ')}; then`,
    '    echo "Rekindle: loading the recovery runtime ..."',
    `    if initrd ${runtimePath} ${packPath(pack)}; then boot; fi`,
    '  fi',
    '  echo "Rekindle: this did not start. The reason is in the lines above."',
    `  echo "Esc starts the local disk; trying again in ${retrySeconds} s ..."`,
    `  if sleep --interruptible ${retrySeconds}; then true; else local_disk; fi`,
    'done',
  ];
}

/** Windows PE by wimboot, disk images and the memory test are not signed for Secure Boot, or need iPXE. */
function isForGrub({ system }: OfferedSystem): boolean {
  return system(otherFilePath).kind === 'linux';
}

function startOther(offered: OfferedSystem): string[] {
  const system = offered.system(otherFilePath);
  if (system.kind !== 'linux') return [];
  const words = system.commandLine.map((word) => quote(assertWord(word)));
  const initrds =
    system.initrdUrls.length === 0 ? [] : [`if initrd ${system.initrdUrls.join(' ')}; then true; fi`];
  return [
    `echo ${quote(`Rekindle: ${assertText(offered.title)}`)}`,
    `if linux ${[system.kernelUrl, ...words].join(' ')}; then`,
    ...initrds.map((line) => `  ${line}`),
    '  boot',
    'fi',
  ];
}

function refuse(reason: string): string[] {
  return [`echo ${quote(`Rekindle: ${assertText(reason)}`)}`, 'sleep 10'];
}

/** GRUB expands nothing between single quotes. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
