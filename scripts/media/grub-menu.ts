import { commandLineKeys } from '#contract/command-line.ts';
import { startLoaderOfDisk } from '#pxe-server/boot/grub-config.ts';

/** What the medium's boot menu starts; paths are those on the medium. */
export interface GrubMenu {
  readonly station: string;
  readonly kernel: string;
  /** In this order: later archives add to earlier ones. */
  readonly initrds: readonly string[];
  readonly commandLine: readonly string[];
  /** Image that is on the medium. */
  readonly image?: string;
  /** The medium is a partition of the station's own disk. */
  readonly onOwnDisk: boolean;
}

/** Nobody at the keyboard: a medium that was left in the drive must not keep a healthy station down. */
const secondsToLocalDisk = 30;

/**
 * `grub.cfg` for BIOS and UEFI. The station starts from its own disk unless somebody chooses the recovery
 * (the F12 rule), so that a medium left behind never makes a loop.
 */
export function formatGrubMenu(menu: GrubMenu): string {
  const { station, kernel, initrds, commandLine, image, onOwnDisk } = menu;
  const recovery = (title: string, id: string, words: readonly string[]): string[] => [
    `menuentry "${title}" --id ${id} --hotkey=${id[0]} {`,
    `  echo "Rekindle: loading the recovery of ${station} ..."`,
    `  linux ${kernel} ${words.join(' ')}`,
    `  initrd ${initrds.join(' ')}`,
    '}',
  ];
  const withoutNetwork = [...commandLine, `${commandLineKeys.imageFrom}=medium`];
  return `${[
    'set default=local',
    `set timeout=${secondsToLocalDisk}`,
    'set pager=0',
    ...(image === undefined
      ? []
      : recovery(`Recovery of ${station} without a network, image ${image}`, 'medium', withoutNetwork)),
    ...recovery(
      `Recovery of ${station}${image === undefined ? '' : ' from the recovery service'}`,
      'recovery',
      commandLine,
    ),
    `menuentry "Start ${station} from its own disk" --id local --hotkey=l {`,
    '  if [ "$grub_platform" = efi ]; then',
    ...startLoaderOfDisk().map((line) => `    ${line}`),
    // GRUB ends well, and the firmware opens its menu (UEFI 2.10, 3.1.1), or goes on with its next boot option.
    '    exit',
    '  fi',
    '  regexp --set=1:bootdisk "^(hd[0-9]+)" "$root"',
    onOwnDisk
      ? '  set own=$bootdisk'
      : // A BIOS calls the stick that it started from the first disk; behind a CD the first disk is the station's.
        '  if [ "$bootdisk" = hd0 ]; then set own=hd1; else set own=hd0; fi',
    '  chainloader ($own)+1',
    '}',
  ].join('\n')}\n`;
}
