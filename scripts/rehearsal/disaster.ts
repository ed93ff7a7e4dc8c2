import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { ByteRange } from './disk-proof.ts';

const damagedBytes = 8 * 1024 * 1024;

/** Overwrites the beginning of a partition: super block, group descriptors, the first inodes. */
export async function corruptSystemPartition(disk: string, { startByte }: ByteRange): Promise<void> {
  await using handle = await open(disk, 'r+');
  await handle.write(randomBytes(damagedBytes), 0, damagedBytes, startByte);
  await handle.sync();
}
