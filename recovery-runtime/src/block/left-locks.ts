import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readAttribute, readNumber } from '../inventory/sysfs.ts';

/**
 * Which write locks (write-lock.ts) this process has taken, in memory: a program that was killed gives nothing back,
 * and its next start has to tell its own lock from a switch on the disk.
 */
const folder = '/run/rekindle/write-locks';
const sysfs = { root: '/' };
let notes = 0;

/**
 * Before the first one is taken. Every lock has a note of its own: `<process>-<its start>-<count>`.
 * @returns forgets them, when they are given back
 */
export async function noteLocks(names: readonly string[]): Promise<() => Promise<void>> {
  if (names.length === 0) return async () => {};
  await mkdir(folder, { recursive: true });
  const lines = await Promise.all(names.map(async (name) => `${name} ${await numberOf(name)}\n`));
  notes += 1;
  const file = join(folder, `${process.pid}-${await startOf(process.pid)}-${notes}`);
  await writeFile(file, lines.join(''));
  return () => rm(file, { force: true });
}

/**
 * Gives back what is still locked by processes which are gone. A note is dropped when all of it was given back: killed
 * in between, the next start goes on. A device that has another number now is another one.
 */
export async function giveBackLeftLocks(release: (name: string) => Promise<void>): Promise<void> {
  const left = await readdir(folder).catch((): string[] => []);
  const dead: string[] = [];
  const held = new Set<string>();
  for (const note of left) {
    if (await isHeld(note)) for (const line of await linesOf(note)) held.add(line);
    else dead.push(note);
  }
  for (const note of dead) {
    for (const line of await linesOf(note)) {
      const [name = '', number] = line.split(' ');
      const isLocked = (await readNumber(sysfs, `sys/class/block/${name}/ro`)) === 1;
      // A living process may have locked it again meanwhile.
      if (isLocked && !held.has(line) && (await numberOf(name)) === number) await release(name);
    }
    await rm(join(folder, note), { force: true });
  }
}

/** Only of a process that is known to live: a note that names none is nobody's. */
async function isHeld(note: string): Promise<boolean> {
  const [pid, start] = note.split('-');
  return start !== undefined && (await startOf(Number(pid))) === start;
}

const linesOf = async (note: string): Promise<string[]> =>
  (await readFile(join(folder, note), 'utf8').catch(() => '')).split('\n').filter(Boolean);

const numberOf = async (name: string): Promise<string> =>
  (await readAttribute(sysfs, `sys/class/block/${name}/dev`))?.trim() ?? '';

/**
 * When a process was started, in clock ticks since the system was (proc(5), stat, field 22): numbers of processes come
 * again, together with it they do not. Undefined: there is no such process.
 */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The second field, the program's name, may have spaces and brackets.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
