import fs from 'node:fs';
import { runTool, type Tool } from '#base/run-tool.ts';
import type { BenchDisk } from './bench-disk.ts';
import type { BenchLab } from './bench-lab.ts';

/** The programs that ours is measured against, each with the options that make it fastest here. */

export const casync: Tool = { command: 'casync', debianPackage: 'casync' };
const partclone: Tool = { command: 'partclone.ext4', debianPackage: 'partclone' };
const zstd: Tool = { command: 'zstd', debianPackage: 'zstd' };

/** @throws RekindleError `usage`, naming the package of the first peer that is missing */
export async function assertPeers(): Promise<void> {
  for (const tool of [casync, partclone, zstd]) await runTool('looking for the peers', tool, ['--version']);
}

export const shell = (line: string): string[] => ['sh', '-c', line];

/** partclone ends at the next refresh of its display only, and with 0 it draws all the time. */
const quietly = '--quiet --logfile /dev/null --UI-fresh 1';

export const partcloneRestore = (target: string): string =>
  `partclone.restore --source - --overwrite ${target} ${quietly}`;

export const partcloneCaptureLine = (partition: string, image: string): string =>
  `partclone.ext4 --clone --source ${partition} --output - ${quietly} | zstd -3 -T2 -q -f -o ${image}`;

/** The disk's partition as a file of its own: partclone knows no offsets. */
export async function copyPartition(disk: BenchDisk, to: string): Promise<void> {
  const { startByte, sizeBytes } = disk.partition;
  fs.rmSync(to, { force: true });
  await runTool('copying the partition for partclone', { command: 'dd', debianPackage: 'coreutils' }, [
    ...[`if=${disk.disk}`, `of=${to}`, 'bs=1M', 'iflag=skip_bytes,count_bytes', 'conv=sparse'],
    ...[`skip=${startByte}`, `count=${sizeBytes}`, 'status=none'],
  ]);
}

export async function partcloneCapture(disk: BenchDisk, image: string, lab: BenchLab): Promise<void> {
  const partition = lab.file('partition.img');
  try {
    await copyPartition(disk, partition);
    await runTool('making the image of partclone', { command: 'sh', debianPackage: 'dash' }, [
      '-c',
      partcloneCaptureLine(partition, image),
    ]);
  } finally {
    fs.rmSync(partition, { force: true });
  }
}
