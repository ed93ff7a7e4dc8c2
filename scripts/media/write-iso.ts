import { runTool } from '#base/run-tool.ts';
import { biosLoaderPath, efiSystemPartitionPath, hybridMbr } from './loaders.ts';
import type { MediumFile } from './medium-files.ts';

const xorriso = { command: 'xorriso', debianPackage: 'xorriso' };

export interface IsoContent {
  readonly station: string;
  /** As ISO 9660 keeps it: `2026-11-23-04-36-00-00`. */
  readonly fileSystemUuid: string;
  /** Files and folders; the loaders of both firmware kinds are among them. */
  readonly files: readonly MediumFile[];
}

/** A hybrid ISO image: a CD, and written as it is to a USB stick. */
export async function writeIso(image: string, { station, fileSystemUuid, files }: IsoContent): Promise<void> {
  await runTool(`writing the recovery medium of ${station}`, xorriso, [
    '-as',
    'mkisofs',
    ...['-iso-level', '3', '-r', '-J', '-joliet-long', '-V', volumeId(station)],
    `--modification-date=${fileSystemUuid.replaceAll('-', '')}`,
    // BIOS: El Torito for CDs, a boot sector in front for sticks (GRUB's own hybrid scheme).
    ...['-b', biosLoaderPath, '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table'],
    ...['--grub2-boot-info', '--grub2-mbr', hybridMbr],
    // UEFI: the same FAT image as El Torito entry and as a partition of the stick.
    ...['-eltorito-alt-boot', '-e', efiSystemPartitionPath, '-no-emul-boot', '-isohybrid-gpt-basdat'],
    ...['-o', image, '-graft-points'],
    ...files.map(({ path, source }) => `/${path}=${source}`),
  ]);
}

/** ISO 9660 counts hundredths of a second in its time of making, which Linux shows as the file system's UUID. */
export function isoUuidOf(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace(/[T:]/g, '-')}-00`;
}

/** At most 32 of A to Z, 0 to 9 and underscore (ECMA-119, 7.4.1). */
function volumeId(station: string): string {
  return `REKINDLE_${station.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`.slice(0, 32);
}

/** Everything on it, into a folder. */
export async function extractIso(file: string, folder: string): Promise<void> {
  await runTool(`reading ${file}`, xorriso, [
    ...['-osirrox', 'on:auto_chmod_on', '-indev', file, '-extract', '/', folder],
  ]);
}
