import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import type { Partition } from '../format/partition-table/partition-table.ts';

const losetup = { command: 'losetup', debianPackage: 'util-linux' };

/**
 * Calls `use` with a device that holds just this partition: the kernel's own node of a disk device, or a
 * read-only loop device on a disk file, always detached again.
 */
export async function withPartitionNode<T>(
  disk: { readonly path: string; readonly isBlockDevice: boolean },
  partition: Partition,
  use: (node: string) => Promise<T>,
): Promise<T> {
  const own = disk.isBlockDevice ? findPartitionNode(disk.path, partition) : null;
  if (own !== null) return use(own);
  const extent = ['--offset', String(partition.startByte), '--sizelimit', String(partition.sizeBytes)];
  const doing = `Giving partition ${partition.number} of ${disk.path} a loop device`;
  const attached = await callTool(doing, losetup, [
    ...['--show', '--find', '--read-only', ...extent, disk.path],
  ]);
  if (attached.status !== 0) {
    throw new RekindleError('unexpected', doing, {
      cause: new Error(attached.stderr.trim()),
      next: 'Run this as root, on a kernel with loop devices.',
    });
  }
  const node = attached.stdout.toString().trim();
  try {
    return await use(node);
  } finally {
    await callTool(`Detaching ${node}`, losetup, ['--detach', node]);
  }
}

/** The kernel's node with exactly this extent: numbers alone may be those of an older table. */
export function findPartitionNode(disk: string, partition: Partition): string | null {
  const folder = `/sys/class/block/${path.basename(fs.realpathSync(disk))}`;
  const read = (...parts: string[]): string => fs.readFileSync(path.join(folder, ...parts), 'utf8').trim();
  for (const name of fs.readdirSync(folder)) {
    if (!fs.existsSync(path.join(folder, name, 'partition'))) continue;
    const startByte = Number(read(name, 'start')) * 512;
    const sizeBytes = Number(read(name, 'size')) * 512;
    const same = startByte === partition.startByte && sizeBytes === partition.sizeBytes;
    if (same && fs.existsSync(`/dev/${name}`)) return `/dev/${name}`;
  }
  return null;
}
