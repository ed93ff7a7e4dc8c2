import { open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runTool } from '#base/run-tool.ts';
import { openDisk } from '#images/block-device/disk-handle.ts';
import { parsePartitionTable } from '#images/format/partition-table/partition-table.ts';
import { efiSystemPartition, makeDiskLoader } from './loaders.ts';
import type { MediumFile } from './medium-files.ts';

/**
 * An image for USB sticks: GPT with GRUB for BIOS, an EFI system partition, and a FAT32 partition with everything
 * else, which runtime and office computers can write.
 */
const sgdisk = { command: 'sgdisk', debianPackage: 'gdisk' };
const mformat = { command: 'mformat', debianPackage: 'mtools' };
const mmd = { command: 'mmd', debianPackage: 'mtools' };
const mcopy = { command: 'mcopy', debianPackage: 'mtools' };

const MiB = 1024 * 1024;
const sector = 512;
const sectorsPerMib = MiB / sector;
/** One MiB each for the table and GRUB, then the EFI system partition. */
const biosPartition = { number: 1, startMib: 1, mib: 1 };
const efiPartition = { number: 2, startMib: 2, mib: 8 };
const dataPartition = { number: 3, startMib: 10 };
/** 4 KiB: FAT32 needs more than 65,525 of them (Microsoft's FAT specification), so no partition below 300 MiB. */
const clusterBytes = 4096;
const smallestDataMib = 300;
/** For reports, and whatever a technician wants to bring along. */
const freeMib = 32;

export interface UsbImageContent {
  readonly station: string;
  /** FAT's volume number as blkid writes it: `1A2B-3C4D`. */
  readonly fileSystemUuid: string;
  /** Files and folders of the data partition. */
  readonly files: readonly MediumFile[];
}

export async function writeUsbImage(image: string, content: UsbImageContent): Promise<void> {
  const { station, fileSystemUuid, files } = content;
  const doing = `writing the recovery medium of ${station}`;
  const dataMib = Math.max(
    smallestDataMib,
    Math.ceil((await roomOnFat(files, clusterBytes, 1024)) / MiB) + freeMib,
  );
  await using handle = await open(image, 'w+');
  // The last MiB is the second partition table's.
  await handle.truncate((dataPartition.startMib + dataMib + 1) * MiB);
  await runTool(doing, sgdisk, [
    ...[partition(biosPartition, 'ef02', 'BIOS boot'), partition(efiPartition, 'ef00', 'EFI system')].flat(),
    ...[partition({ ...dataPartition, mib: dataMib }, '0700', 'Rekindle').flat(), image].flat(),
  ]);

  const efi = await efiSystemPartition(dirname(image));
  await handle.write(efi, 0, efi.length, efiPartition.startMib * MiB);
  await writeBiosLoader(handle, dirname(image), fileSystemUuid);

  const at = `${image}@@${dataPartition.startMib}M`;
  await runTool(doing, mformat, [
    ...['-i', at, '-F', '-T', String(dataMib * sectorsPerMib), '-c', String(clusterBytes / sector)],
    ...['-h', '64', '-s', '32', '-H', String(dataPartition.startMib * sectorsPerMib)],
    ...['-N', fileSystemUuid.replace('-', ''), '-v', 'REKINDLE', '::'],
  ]);
  const made = new Set<string>();
  for (const { path, source } of files) {
    await makeFolders(at, dirname(path), made, doing);
    await runTool(doing, mcopy, ['-s', '-m', '-Q', '-i', at, source, `::/${path}`]);
  }
  await makeFolders(at, 'rekindle/reports', made, doing);
}

/** @returns arguments of sgdisk: place, GUID of the type, name */
function partition(
  { number, startMib, mib }: { number: number; startMib: number; mib: number },
  type: string,
  name: string,
): string[] {
  const first = startMib * sectorsPerMib;
  return [
    `--new=${number}:${first}:${first + mib * sectorsPerMib - 1}`,
    `--typecode=${number}:${type}`,
    `--change-name=${number}:${name}`,
  ];
}

async function makeFolders(at: string, folder: string, made: Set<string>, doing: string): Promise<void> {
  if (folder === '.' || made.has(folder)) return;
  await makeFolders(at, dirname(folder), made, doing);
  await runTool(doing, mmd, ['-i', at, `::/${folder}`]);
  made.add(folder);
}

/**
 * GRUB's first sector into the boot sector, the rest into the BIOS boot partition: what grub-bios-setup does on a
 * running system (GRUB 2.06, include/grub/i386/pc/boot.h and offsets.h).
 */
async function writeBiosLoader(
  handle: Awaited<ReturnType<typeof open>>,
  work: string,
  fileSystemUuid: string,
): Promise<void> {
  const { bootSector, core } = await makeDiskLoader(work, fileSystemUuid);
  const coreLba = biosPartition.startMib * sectorsPerMib;
  if (core.length > biosPartition.mib * MiB) throw new RangeError(`GRUB has ${core.length} bytes`);
  const code = Buffer.from(bootSector.subarray(0, 440));
  code.writeBigUInt64LE(BigInt(coreLba), 0x5c);
  // Not a floppy: the jump over the check of the drive number goes (boot.S, boot_drive_check).
  code.writeUInt16LE(0x9090, 0x66);
  const rest = Buffer.from(core);
  rest.writeBigUInt64LE(BigInt(coreLba + 1), sector - 12);
  await handle.write(code, 0, code.length, 0);
  await handle.write(rest, 0, rest.length, coreLba * sector);
}

/**
 * Clusters that files and folders take, and the two tables that count them.
 * @param spare clusters for what comes later
 */
export async function roomOnFat(
  files: readonly MediumFile[],
  cluster = clusterBytes,
  spare = 0,
): Promise<number> {
  let clusters = spare;
  const count = async (path: string): Promise<void> => {
    const found = await stat(path);
    if (!found.isDirectory()) {
      clusters += Math.ceil(found.size / cluster);
      return;
    }
    const names = await readdir(path);
    // A long name takes an entry of 32 bytes for every 13 characters, and one for the short name.
    const bytes = names.reduce((sum, name) => sum + 32 * (1 + Math.ceil(name.length / 13)), 64);
    clusters += Math.ceil(bytes / cluster);
    for (const name of names) await count(join(path, name));
  };
  for (const { source } of files) await count(source);
  const folders = new Set(files.map(({ path }) => dirname(path)));
  clusters += 2 * folders.size;
  return clusters * (cluster + 8);
}

/** FAT's volume number from the time: no two media of one second. */
export function fatUuidOf(time: Date): string {
  const digits = Math.floor(time.getTime() / 1000)
    .toString(16)
    .toUpperCase()
    .padStart(8, '0');
  return `${digits.slice(0, 4)}-${digits.slice(4, 8)}`;
}

/** Byte position of the data partition; nothing when this is no image of ours. */
export function findDataPartition(file: string): number | undefined {
  const disk = openDisk(file);
  try {
    const table = parsePartitionTable(disk);
    const found = table.partitions.find(({ name }) => name === 'Rekindle');
    return table.kind === 'gpt' ? found?.startByte : undefined;
  } finally {
    disk.close();
  }
}

/** Where mtools finds the EFI system partition in an image of ours. */
export const efiPartitionOf = (file: string): string => `${file}@@${efiPartition.startMib}M`;

/** Everything of the data partition, into a folder. */
export async function extractUsbImage(file: string, startByte: number, folder: string): Promise<void> {
  await runTool(`reading ${file}`, mcopy, ['-s', '-n', '-i', `${file}@@${startByte}`, '::/', folder]);
}
