import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { callTool, type Tool } from '#base/run-tool.ts';
import { startBackgroundTool } from './background-tool.ts';

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

/** For nbdfuse to end after its file was closed. */
const endPatienceMs = 5_000;

/** @param folder an empty folder that is nobody else's */
export async function mountNbdAsFile(uri: string, folder: string): Promise<FuseFile> {
  const file = path.join(folder, 'nbd');
  const tool = await startBackgroundTool({
    doing: `Making a file of ${uri}`,
    tool: nbdfuse,
    args: ['--readonly', folder, uri],
    isReady: () => fs.existsSync(file),
    next: 'Run this as root, on a kernel with FUSE (/dev/fuse).',
  });
  let hidden = false;
  const hide = async (): Promise<void> => {
    if (hidden || !tool.isRunning()) return;
    hidden = true;
    await callTool(`Hiding ${folder}`, umount, ['--lazy', folder]);
  };
  return {
    file,
    ended: tool.ended.then(() => {}),
    hide,
    async [Symbol.asyncDispose]() {
      await hide();
      await Promise.race([tool.ended, sleep(endPatienceMs, undefined, { ref: false })]);
      if (tool.isRunning()) tool.kill('SIGKILL');
      await tool.ended;
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
