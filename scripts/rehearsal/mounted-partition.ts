import { mkdtemp, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { runTool } from '#base/run-tool.ts';
import { attachLoop } from '../faults/lab/loop-device.ts';
import type { ByteRange } from './disk-proof.ts';

const mount = { command: 'mount', debianPackage: 'mount' };
const umount = { command: 'umount', debianPackage: 'mount' };

/** Mounts the ext4 in one range of a disk file that no machine has open, for as long as `use` runs; needs root. */
export async function withMounted<T>(
  disk: string,
  { startByte, sizeBytes }: ByteRange,
  use: (root: string) => T | Promise<T>,
  access: 'read' | 'write' = 'write',
): Promise<T> {
  await using loop = await attachLoop(disk, ['--offset', `${startByte}`, '--sizelimit', `${sizeBytes}`]);
  const root = await mkdtemp(path.join(path.dirname(disk), 'mnt-'));
  // Looking changes nothing: the journal is not replayed either. Without `--rw` mount would be content with less.
  const options = access === 'write' ? ['--rw'] : ['-o', 'ro,noload'];
  await runTool(`mounting a partition of ${disk}`, mount, ['-t', 'ext4', ...options, loop.device, root]);
  try {
    return await use(root);
  } finally {
    await runTool(`unmounting a partition of ${disk}`, umount, [root]);
    await rmdir(root);
  }
}
