import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';

/** A server that a scenario started, and the processor time that it and its children have used. */
export interface MeasuredServer extends AsyncDisposable {
  cpuSeconds(): number;
}

/** @param answers one request that succeeds once the server is ready */
export async function startMeasured(
  command: readonly string[],
  answers: () => Promise<boolean>,
): Promise<MeasuredServer> {
  const [program = '', ...args] = command;
  // A group of its own: some peers leave children behind.
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  const failed = once(child, 'error').then(([error]) => Promise.reject(error));
  failed.catch(() => undefined);
  const stop = () => end(child);
  try {
    for (let tries = 0; !(await Promise.race([answers(), failed])); tries++) {
      if (tries > 100) throw new Error('it did not answer within 10 s');
      await sleep(100);
    }
  } catch (cause) {
    await stop();
    throw new RekindleError('unexpected', `Starting ${program} for the benchmark`, { cause });
  }
  return { cpuSeconds: () => cpuSecondsOf(child.pid ?? 0), [Symbol.asyncDispose]: stop };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  process.kill(-child.pid, 'SIGKILL');
  await ended;
}

/** User and system time of a process, its children, and those that it has already waited for. */
function cpuSecondsOf(pid: number): number {
  try {
    // The name in brackets may contain blanks.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
      .map(Number);
    const own = [11, 12, 13, 14].reduce((sum, index) => sum + (fields[index] ?? 0), 0) / 100;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(/\s+/)
      .filter(Boolean);
    return children.reduce((sum, child) => sum + cpuSecondsOf(Number(child)), own);
  } catch {
    return 0;
  }
}
