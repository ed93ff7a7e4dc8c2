import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { callTool, type Tool } from '#base/run-tool.ts';
import { type BackgroundToolOptions, startBackgroundTool } from './background-tool.ts';

const nbdfuse: Tool = { command: 'nbdfuse', debianPackage: 'libnbd-bin' };
export const umount: Tool = { command: 'umount', debianPackage: 'mount' };

/** A disk as a read-only file that a FUSE program shows. */
export interface FuseFile extends AsyncDisposable {
  readonly file: string;
  /**
   * Takes the file out of the tree. Whoever has it open, a loop device for example, keeps it; when the last
   * one closes it, the program ends and `ended` resolves. So nothing but the users has to be cleaned up, even
   * after this process was killed.
   */
  hide(): Promise<void>;
  readonly ended: Promise<void>;
}

/** For the program to end after its file was closed. */
const endPatienceMs = 5_000;

/**
 * An NBD export as a file: kernels without an NBD client have FUSE and loop devices.
 * @param folder an empty folder that is nobody else's
 */
export function mountNbdAsFile(uri: string, folder: string): Promise<FuseFile> {
  return mountAsFile({
    doing: `Making a file of ${uri}`,
    tool: nbdfuse,
    args: ['--readonly', folder, uri],
    folder,
    name: 'nbd',
  });
}

export interface FuseProgram extends Pick<BackgroundToolOptions, 'doing' | 'tool' | 'args'> {
  /** An empty folder that is nobody else's. */
  readonly folder: string;
  /** Of the file that it shows there. */
  readonly name: string;
}

/** @throws RekindleError `usage` (not installed), `unexpected` */
export async function mountAsFile({ folder, name, ...program }: FuseProgram): Promise<FuseFile> {
  const file = path.join(folder, name);
  const tool = await startBackgroundTool({
    ...program,
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
      // A program that crashed leaves its mount.
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
