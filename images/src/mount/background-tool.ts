import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import { missingTool, type Tool } from '#base/run-tool.ts';

/** A tool that runs beside us until it is ended, or until this process has gone, however it went. */
export interface BackgroundTool {
  /** Resolves with what it said last. */
  readonly ended: Promise<Error>;
  isRunning(): boolean;
  kill(signal: NodeJS.Signals): void;
}

export interface BackgroundToolOptions {
  /** For messages: "Making a file of …". */
  readonly doing: string;
  readonly tool: Tool;
  readonly args: readonly string[];
  readonly isReady: () => boolean;
  /** What to do when it does not get ready. */
  readonly next: string;
}

const patienceMs = 30_000;

/** @throws RekindleError `usage` (not installed), `unexpected` (it ended, or was not ready in time) */
export async function startBackgroundTool(options: BackgroundToolOptions): Promise<BackgroundTool> {
  const { doing, tool, args, isReady, next } = options;
  // In a session of its own: Ctrl-C is for us, and we end things in order.
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', tool.command, ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4096);
  });
  let over: Error | undefined;
  const ended = new Promise<Error>((resolve) => {
    const end = (why: Error): void => {
      over ??= why;
      resolve(over);
    };
    child.once('error', (cause) => end(missingTool(doing, setpriv, cause)));
    child.once('close', (status) =>
      end(
        status === notFound
          ? missingTool(doing, tool, new Error(said.trim()))
          : new Error(said.trim() || `${tool.command} ended with status ${status}`),
      ),
    );
  });
  const giveUpAt = performance.now() + patienceMs;
  while (over === undefined && !isReady() && performance.now() < giveUpAt) await sleep(20);
  if (over instanceof RekindleError) throw over;
  if (over !== undefined || !isReady()) {
    child.kill('SIGKILL');
    throw new RekindleError('unexpected', doing, {
      cause: over ?? new Error(`${tool.command} was not ready after ${patienceMs / 1000} s`),
      next,
    });
  }
  return { ended, isRunning: () => over === undefined, kill: (signal) => void child.kill(signal) };
}

const setpriv: Tool = { command: 'setpriv', debianPackage: 'util-linux' };
/** setpriv(1): the program was not found. */
const notFound = 127;
