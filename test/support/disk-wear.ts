import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';

const MiB = 1024 * 1024;

/** Leaves something of an earlier life on a blank disk, away from both ends: a write cannot hide in zeros. */
export async function leaveOldData(disk: string): Promise<void> {
  await using handle = await open(disk, 'r+');
  for (const startByte of [90 * MiB, 500 * MiB]) await handle.write(randomBytes(MiB), 0, MiB, startByte);
}

export interface CommonBytes {
  /** Blocks of the reference that hold data, and those of them that are the same on the disk, in bytes. */
  readonly data: number;
  readonly same: number;
}

/** Compares two disks of one size in blocks of 1 MiB, leaving out what is zero in the reference. */
export async function measureCommonData(disk: string, reference: string): Promise<CommonBytes> {
  await using one = await open(disk, 'r');
  await using other = await open(reference, 'r');
  const [left, right, zero] = [Buffer.alloc(MiB), Buffer.alloc(MiB), Buffer.alloc(MiB)];
  let [data, same] = [0, 0];
  const { size } = await other.stat();
  for (let at = 0; at < size; at += MiB) {
    await Promise.all([one.read(left, 0, MiB, at), other.read(right, 0, MiB, at)]);
    if (right.equals(zero)) continue;
    data += MiB;
    if (left.equals(right)) same += MiB;
  }
  return { data, same };
}
