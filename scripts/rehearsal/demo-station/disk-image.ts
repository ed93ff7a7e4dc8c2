import { rm, truncate, writeFile } from 'node:fs/promises';
import { runTool } from '#base/run-tool.ts';
import { diskBytes, planDemoPartitions, planSgdiskArguments, sectorSize } from './partition-layout.ts';

const sgdisk = { command: 'sgdisk', debianPackage: 'gdisk' };
const mkfsVfat = { command: 'mkfs.vfat', debianPackage: 'dosfstools' };
const mke2fs = { command: 'mke2fs', debianPackage: 'e2fsprogs' };
const mkntfs = { command: 'mkntfs', debianPackage: 'ntfs-3g' };
const dd = { command: 'dd', debianPackage: 'coreutils' };

const KiB = 1024;
const MiB = 1024 * KiB;
const systemUuid = '52454b49-4e44-4c45-8000-0000000000f5';

/**
 * Makes the raw disk: GPT, an empty ESP, the system from `rootDirectory`, an empty PROJECTS. Nothing is mounted
 * and no loop device is used, so it works where the kernel has neither FAT nor partition scanning.
 */
export async function writeDiskImage(disk: string, rootDirectory: string): Promise<void> {
  const { ESP, SYSTEM, PROJECTS } = planDemoPartitions();
  await writeFile(disk, '');
  await truncate(disk, diskBytes);
  await runTool(`writing the partition table of ${disk}`, sgdisk, planSgdiskArguments(disk));

  await runTool(`making the ESP of ${disk}`, mkfsVfat, [
    ...['-F', '32', '-s', '1', '-n', 'ESP', '-i', '52454b49'],
    ...[`--offset=${ESP.firstByte / sectorSize}`, disk, `${ESP.byteLength / KiB}`],
  ]);

  await runTool(`making the system partition of ${disk}`, mke2fs, [
    ...['-q', '-t', 'ext4', '-L', 'SYSTEM', '-U', systemUuid, '-m', '1'],
    // A journal and inode tables of the usual size would be a tenth of what a restore has to write.
    ...['-J', 'size=4', '-N', '16384'],
    ...['-E', `offset=${SYSTEM.firstByte},hash_seed=${systemUuid},root_owner=0:0`],
    ...['-d', rootDirectory, disk, `${SYSTEM.byteLength / KiB}k`],
  ]);

  // mkntfs knows no offset: made in a file of its own, then copied to its place.
  const volume = `${disk}.projects`;
  await writeFile(volume, '');
  await truncate(volume, PROJECTS.byteLength);
  await runTool(`making PROJECTS of ${disk}`, mkntfs, [
    ...['--quiet', '--force', '--fast', '--label', 'PROJECTS', '--sector-size', `${sectorSize}`],
    ...['--partition-start', `${PROJECTS.firstByte / sectorSize}`, '--heads', '255'],
    ...['--sectors-per-track', '63', volume],
  ]);
  await runTool(`copying PROJECTS to ${disk}`, dd, [
    ...[`if=${volume}`, `of=${disk}`, `bs=${MiB}`, `seek=${PROJECTS.firstByte / MiB}`],
    ...['conv=notrunc,sparse', 'status=none'],
  ]);
  await rm(volume);
}
