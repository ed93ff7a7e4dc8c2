import fs from 'node:fs';
import { callTool, runTool } from '#base/run-tool.ts';
import { attachLoop } from './loop-device.ts';

export interface MountedExt4 extends AsyncDisposable {
  /** fsck had to run first. */
  readonly repaired: boolean;
}

/** A small journalled file system for a store, in a file. */
export async function makeExt4(file: string, sizeBytes: number): Promise<void> {
  fs.writeFileSync(file, '');
  fs.truncateSync(file, sizeBytes);
  const options = ['-q', '-F', '-J', 'size=4', '-E', 'lazy_itable_init=0,lazy_journal_init=0'];
  const mkfs = { command: 'mkfs.ext4', debianPackage: 'e2fsprogs' };
  await runTool(`making a file system in ${file}`, mkfs, [...options, file]);
}

/**
 * Mounted until the end of the block; the journal runs first. A block of the file system's own that was torn in the
 * middle is no journal's business: then fsck runs, as it does when a server starts.
 */
export async function mountExt4(device: string, mountPoint: string): Promise<MountedExt4> {
  const tool = (command: string) => ({ command, debianPackage: 'mount' });
  const mount = ['-t', 'ext4', device, mountPoint];
  const { status } = await callTool(`mounting ${device}`, tool('mount'), mount);
  if (status !== 0) {
    await callTool(`repairing ${device}`, { command: 'fsck.ext4', debianPackage: 'e2fsprogs' }, [
      '-f',
      '-y',
      device,
    ]);
    await runTool(`mounting ${device} after fsck`, tool('mount'), mount);
  }
  return {
    repaired: status !== 0,
    [Symbol.asyncDispose]: async () => {
      await runTool(`unmounting ${mountPoint}`, tool('umount'), [mountPoint]);
    },
  };
}

/**
 * A file of its own on a loop device, mounted. Never the same file twice: a network namespace that anybody made in the
 * meantime keeps the mount in a namespace of its own, and writes to the file when it goes.
 */
export async function mountOwnFile(
  file: string,
  mountPoint: string,
  make: (file: string) => Promise<void> | void,
): Promise<MountedExt4> {
  if (fs.existsSync(file)) throw new Error(`${file} was used before`);
  const stack = new AsyncDisposableStack();
  try {
    stack.defer(() => fs.rmSync(file, { force: true }));
    await make(file);
    const loop = stack.use(await attachLoop(file));
    const { repaired } = stack.use(await mountExt4(loop.device, mountPoint));
    const mounted = stack.move();
    return { repaired, [Symbol.asyncDispose]: () => mounted.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
