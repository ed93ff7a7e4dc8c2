import fs from 'node:fs';
import { RekindleError } from '#base/errors.ts';
import { callTool, type Tool } from '#base/run-tool.ts';
import { findPartitionNode } from '#images/capture/partition-node.ts';
import type { Partition } from '#images/format/partition-table/partition-table.ts';
import type { Piece } from '../../../restore/held-back.ts';

const losetup: Tool = { command: 'losetup', debianPackage: 'util-linux' };
const blockdev: Tool = { command: 'blockdev', debianPackage: 'util-linux' };

/** A device that is just one partition. */
export interface PartitionDevice extends AsyncDisposable {
  readonly node: string;
}

export interface DiskPath {
  readonly path: string;
  readonly isBlockDevice: boolean;
  /** Blocks that are not on the disk yet (restore/restore-disk.ts), its table among them: the kernel knows none. */
  readonly missing?: readonly Piece[];
}

/**
 * The kernel's own node, after it has looked at the table again (a restore has written another one); a loop device
 * on a disk file, on a kernel that does not know the table, and while the disk has none.
 */
export async function attachPartition(
  disk: DiskPath,
  partition: Partition,
  access: 'read' | 'write',
): Promise<PartitionDevice> {
  if (disk.isBlockDevice && disk.missing === undefined) {
    const node = findPartitionNode(disk.path, partition) ?? (await lookAgain(disk.path, partition));
    if (node !== null) return { node, async [Symbol.asyncDispose]() {} };
  }
  const doing = `giving partition ${partition.number} of ${disk.path} a device of its own`;
  const attached = await callTool(doing, losetup, [
    ...['--show', '--find', ...(access === 'read' ? ['--read-only'] : [])],
    ...['--offset', String(partition.startByte), '--sizelimit', String(partition.sizeBytes)],
    disk.path,
  ]);
  if (attached.status !== 0) {
    throw new RekindleError('unexpected', doing, {
      cause: new Error(attached.stderr.trim()),
      next: 'Run this as root, on a kernel with loop devices.',
    });
  }
  const node = attached.stdout.toString().trim();
  // A write lock (BLKROSET) of whoever had this loop device before outlives what was behind it.
  if (access === 'write') await callTool(`making ${node} writable`, blockdev, ['--setrw', node]);
  return {
    node,
    async [Symbol.asyncDispose]() {
      await callTool(`detaching ${node}`, losetup, ['--detach', node]);
    },
  };
}

async function lookAgain(disk: string, partition: Partition): Promise<string | null> {
  await callTool(`reading the partition table of ${disk} again`, blockdev, ['--rereadpt', disk]);
  return findPartitionNode(disk, partition);
}

/**
 * Reads of a partition through its own device: the kernel keeps the pages of a disk and those of its partitions
 * apart, so that the disk's may still show what was there before somebody wrote to the partition.
 */
export function partitionReader(node: string): Disposable & { read(offset: number, length: number): Buffer } {
  const fd = fs.openSync(node, 'r');
  return {
    read(offset, length) {
      const bytes = Buffer.alloc(length);
      const count = fs.readSync(fd, bytes, 0, length, offset);
      if (count === length) return bytes;
      throw new RekindleError(
        'unexpected',
        `reading ${length} bytes at byte ${offset} of ${node}: only ${count} came`,
      );
    },
    [Symbol.dispose]: () => fs.closeSync(fd),
  };
}
