import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import { callTool, missingTool, type Tool } from '#base/run-tool.ts';

const nbdfuse: Tool = { command: 'nbdfuse', debianPackage: 'libnbd-bin' };
export const umount: Tool = { command: 'umount', debianPackage: 'mount' };

/** An NBD export as a read-only file: kernels without an NBD client have FUSE and loop devices. */
export interface FuseFile extends AsyncDisposable {
  readonly file: string;
  /**
   * Takes the file out of the tree. Whoever has it open, a loop device for example, keeps it; when the last
   * one closes it, nbdfuse ends and `ended` resolves. So nothing but the users has to be cleaned up, even
   * after this process was killed.
   */
  hide(): Promise<void>;
  readonly ended: Promise<void>;
}

const patienceMs = 30_000;

/** @param folder an empty folder that is nobody else's */
export async function mountNbdAsFile(uri: string, folder: string): Promise<FuseFile> {
  const doing = `Making a file of ${uri}`;
  // In a session of its own: Ctrl-C is for us, and we unmount in order.
  const child = spawn(nbdfuse.command, ['--readonly', folder, uri], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4096);
  });
  let over: unknown;
  const ended = new Promise<void>((resolve) => {
    const end = (why: unknown) => {
      over ??= why;
      resolve();
    };
    child.once('error', (cause) => end(missingTool(doing, nbdfuse, cause)));
    child.once('close', (status) => end(new Error(said.trim() || `nbdfuse ended with status ${status}`)));
  });
  const file = path.join(folder, 'nbd');
  const giveUpAt = performance.now() + patienceMs;
  while (over === undefined && performance.now() < giveUpAt && !fs.existsSync(file)) await sleep(20);
  if (over instanceof RekindleError) throw over;
  if (over !== undefined || !fs.existsSync(file)) {
    child.kill();
    throw new RekindleError('unexpected', doing, {
      cause: over ?? new Error(`nbdfuse was not ready after ${patienceMs / 1000} s`),
      next: 'Run this as root, on a kernel with FUSE (/dev/fuse).',
    });
  }
  let hidden = false;
  const hide = async (): Promise<void> => {
    if (hidden || over !== undefined) return;
    hidden = true;
    await callTool(`Hiding ${folder}`, umount, ['--lazy', folder]);
  };
  return {
    file,
    ended,
    hide,
    async [Symbol.asyncDispose]() {
      await hide();
      await Promise.race([ended, sleep(5_000, undefined, { ref: false })]);
      if (over === undefined) child.kill('SIGKILL');
      await ended;
      // nbdfuse that crashed leaves its mount.
      if (isMounted(folder)) await callTool(`Unmounting ${folder}`, umount, ['--lazy', folder]);
    },
  };
}

/** Whether something is mounted at a folder, as this process sees it (proc(5), mountinfo). */
export function isMounted(folder: string): boolean {
  const wanted = path.resolve(folder);
  return fs
    .readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => unescapeMountPath(line.split(' ')[4] ?? '') === wanted);
}

/** Space, tab, newline and backslash are three octal digits there. */
const unescapeMountPath = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
