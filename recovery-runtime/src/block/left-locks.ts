import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readAttribute, readNumber } from '../inventory/sysfs.ts';

/**
 * Which write locks (write-lock.ts) this process has taken, in memory: a program that was killed gives nothing back,
 * and its next start has to tell its own lock from a switch on the disk.
 */
const folder = '/run/rekindle/write-locks';
const ownFile = join(folder, String(process.pid));
const sysfs = { root: '/' };

/** Before the first one is taken. */
export async function noteLocks(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await mkdir(folder, { recursive: true });
  const lines = await Promise.all(names.map(async (name) => `${name} ${await numberOf(name)}\n`));
  await writeFile(ownFile, lines.join(''));
}

export async function forgetLocks(): Promise<void> {
  await rm(ownFile, { force: true });
}

/**
 * Gives back what is still locked by processes which are gone. A note is dropped when all of it was given back: killed
 * in between, the next start goes on. A device that has another number now is another one.
 */
export async function giveBackLeftLocks(release: (name: string) => Promise<void>): Promise<void> {
  for (const pid of await readdir(folder).catch((): string[] => [])) {
    if (isAlive(Number(pid))) continue;
    for (const line of (await readFile(join(folder, pid), 'utf8')).split('\n').filter(Boolean)) {
      const [name = '', number] = line.split(' ');
      const isLocked = (await readNumber(sysfs, `sys/class/block/${name}/ro`)) === 1;
      if (isLocked && (await numberOf(name)) === number) await release(name);
    }
    await rm(join(folder, pid), { force: true });
  }
}

const numberOf = async (name: string): Promise<string> =>
  (await readAttribute(sysfs, `sys/class/block/${name}/dev`))?.trim() ?? '';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
