import { spawn } from 'node:child_process';
import { RekindleError } from '#base/errors.ts';

/**
 * A command of the site's, through sh, with a time limit: whoever freezes an application waits for nobody for
 * ever. What it started ends with it.
 * @throws RekindleError `target-unfit`: another exit status than 0, or too late
 */
export async function runTimedCommand(what: string, command: string, seconds: number): Promise<void> {
  const { status, said, late } = await call(command, seconds);
  if (status === 0 && !late) return;
  const why = late ? `it had not ended after ${seconds} s` : `it ended with status ${status}`;
  throw new RekindleError('target-unfit', `running the ${what} command "${command}": ${why}`, {
    ...(said === '' ? {} : { cause: new Error(said) }),
    next: 'Try the command by itself; the applications have been told to go on.',
  });
}

interface Ended {
  readonly status: number | null;
  readonly said: string;
  readonly late: boolean;
}

function call(command: string, seconds: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (part: Buffer) => {
        said = (said + part.toString()).slice(-2000);
      });
    }
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, seconds * 1000);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('exit', (status) => {
      clearTimeout(timer);
      resolve({ status, said: said.trim(), late });
    });
  });
}
