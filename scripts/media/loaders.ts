import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import type { MediumFile } from './medium-files.ts';

/** Debian's boot loaders, put into the two forms that firmware starts from a medium. */

export const biosLoaderPath = 'boot/grub/bios.img';
export const efiSystemPartitionPath = 'boot/grub/efi.img';
/** Boot sector of a stick: finds the BIOS loader in the ISO file system behind it. */
export const hybridMbr = '/usr/lib/grub/i386-pc/boot_hybrid.img';

const grubMkimage = { command: 'grub-mkimage', debianPackage: 'grub-common' };
const mformat = { command: 'mformat', debianPackage: 'mtools' };
const mmd = { command: 'mmd', debianPackage: 'mtools' };
const mcopy = { command: 'mcopy', debianPackage: 'mtools' };

/** Everything the menu uses; GRUB's BIOS image loads nothing later. */
const biosModules =
  'biosdisk iso9660 part_msdos part_gpt normal configfile search search_fs_file linux chain boot echo test regexp sleep terminal';

export interface DiskLoader {
  /** 512 bytes. */
  readonly bootSector: Buffer;
  readonly core: Buffer;
}

/** GRUB for BIOS as it is put onto a disk; it finds its menu on the FAT file system of that volume number. */
export async function makeDiskLoader(work: string, fileSystemUuid: string): Promise<DiskLoader> {
  const image = join(work, 'disk-loader');
  const early = join(work, 'disk-loader.cfg');
  await writeFile(
    early,
    `search --no-floppy --fs-uuid --set=root ${fileSystemUuid}\nset prefix=($root)/boot/grub\n`,
  );
  await runTool('making the BIOS boot loader of the medium', grubMkimage, [
    ...['-O', 'i386-pc', '-o', image, '-c', early, '-p', '/boot/grub'],
    ...[...biosModules.split(' '), 'fat', 'search_fs_uuid'],
  ]);
  return { bootSector: await readFile('/usr/lib/grub/i386-pc/boot.img'), core: await readFile(image) };
}

/** GRUB for BIOS as one El Torito image; its first lines find the file system that holds `boot/grub`. */
export async function makeBiosLoader(work: string): Promise<Buffer> {
  const image = join(work, 'bios-loader');
  await runTool('making the BIOS boot loader of the medium', grubMkimage, [
    ...['-O', 'i386-pc-eltorito', '-o', image, '-p', '/boot/grub'],
    ...biosModules.split(' '),
  ]);
  return readFile(image);
}

/** The first one is what the firmware starts. Names that UEFI, then shim, look for on removable media. */
export const efiFiles: readonly (readonly [target: string, source: string, debianPackage: string])[] = [
  ['EFI/BOOT/BOOTX64.EFI', '/usr/lib/shim/shimx64.efi.signed', 'shim-signed'],
  ['EFI/BOOT/mmx64.efi', '/usr/lib/shim/mmx64.efi.signed', 'shim-signed'],
  // The signed GRUB for CDs and sticks: it finds its menu by the file `.disk/info`.
  ['EFI/BOOT/grubx64.efi', '/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed', 'grub-efi-amd64-signed'],
];

/** The same loaders on the station's own disk, in a folder of their own: the fallback path belongs to its system. */
export const ownDiskLoaders: readonly MediumFile[] = [
  { path: 'EFI/rekindle/shimx64.efi', source: '/usr/lib/shim/shimx64.efi.signed' },
  { path: 'EFI/rekindle/mmx64.efi', source: '/usr/lib/shim/mmx64.efi.signed' },
  { path: 'EFI/rekindle/grubx64.efi', source: '/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed' },
];

/** Loaders are about 4 MiB together. */
const partitionKib = 8 * 1024;

/** A FAT image with shim and GRUB, the EFI system partition of the medium. */
export async function efiSystemPartition(work: string): Promise<Buffer> {
  const image = join(work, 'efi-system-partition');
  const doing = 'making the EFI system partition of the medium';
  // Fixed serial number and no time stamps of today: the same loaders give the same bytes.
  await runTool(doing, mformat, [
    ...['-i', image, '-C', '-T', String(partitionKib * 2), '-h', '64', '-s', '32', '-N', '52454b49'],
    ...['-v', 'REKINDLE', '::'],
  ]);
  await runTool(doing, mmd, ['-i', image, '::/EFI', '::/EFI/BOOT']);
  for (const [target, source, debianPackage] of efiFiles) {
    const copy = join(work, 'efi-loader');
    await copyFile(source, copy).catch((cause: unknown) => {
      throw new RekindleError('usage', `${doing}: ${source} cannot be read`, {
        cause,
        next: `Install the Debian package ${debianPackage}: apt-get install ${debianPackage}`,
      });
    });
    await runTool(doing, mcopy, ['-m', '-i', image, copy, `::/${target}`]);
  }
  const bytes = await readFile(image);
  await rm(image);
  return bytes;
}
