import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { expect, vi } from 'vitest';
import { parseMountInfo } from '#images/block-device/mounts-of-disk.ts';
import { run } from './restore-demo-disk.ts';

/**
 * Ends a process that has volumes of a disk file mounted, and the ntfs-3g of each of them, none of which gets to write
 * anything more; then takes away what the kernel has left. A mount namespace of its own would be shorter, but the
 * last ntfs-3g in it waits for itself when it is killed.
 */
export async function cutWindowsPower(child: ChildProcess, disk: string): Promise<void> {
  const loops = loopsOf(disk);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isOn(name, loops));
  for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
  for (const root of mountsOn(loops)) run('umount', '--lazy', root);
  for (const loop of loops) run('losetup', '--detach', loop);
  // What the kernel still has of them is written when the last one closes its device: not into what comes next.
  await vi.waitFor(
    () => expect([pids.filter((pid) => isOn(pid, loops)), loopsOf(disk)]).toEqual([[], []]),
    20_000,
  );
}

/** Bytes of a file on whichever volume of a disk file is mounted and has it; 0: none has. */
export const sizeOnMounts = (disk: string, file: string): number =>
  Math.max(
    0,
    ...mountsOn(loopsOf(disk)).map(
      (root) => fs.statSync(path.join(root, file), { throwIfNoEntry: false })?.size ?? 0,
    ),
  );

const mountsOn = (loops: readonly string[]): string[] =>
  parseMountInfo(fs.readFileSync('/proc/self/mountinfo', 'utf8'))
    .filter(({ device }) => loops.includes(device))
    .map(({ mountPoint }) => mountPoint);

function isOn(pid: string, loops: readonly string[]): boolean {
  try {
    const [program, ...args] = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return program?.endsWith('ntfs-3g') === true && args.some((each) => loops.includes(each));
  } catch {
    // It has ended meanwhile.
    return false;
  }
}

/** Of a file, or of another loop device. */
const loopsOf = (disk: string): string[] =>
  run('losetup', '-j', disk)
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(':')[0] ?? '');
