import { runTool } from '#base/run-tool.ts';

const blockdev = { command: 'blockdev', debianPackage: 'util-linux' };
const losetup = { command: 'losetup', debianPackage: 'util-linux' };

export interface LoopDevice extends AsyncDisposable {
  readonly device: string;
}

/** A file as a block device, detached again at the end of the block. */
export async function attachLoop(file: string, options: readonly string[] = []): Promise<LoopDevice> {
  const said = await runTool(`giving ${file} a loop device`, losetup, ['--show', '--find', ...options, file]);
  const device = said.trim();
  // A loop device that somebody once set read-only stays so for whoever gets it next.
  await runTool(`making ${device} writable`, blockdev, ['--setrw', device]);
  return {
    device,
    [Symbol.asyncDispose]: async () => {
      await runTool(`detaching ${device}`, losetup, ['--detach', device]);
    },
  };
}

/** What a killed capture leaves: it looks at the volumes of a disk file through loop devices. */
export async function detachLoopsOf(file: string): Promise<void> {
  const list = await runTool(`listing loop devices of ${file}`, losetup, [
    '--associated',
    file,
    '--output',
    'NAME',
    '--noheadings',
  ]);
  for (const device of list.split('\n').filter(Boolean)) {
    await runTool(`detaching ${device}`, losetup, ['--detach', device.trim()]);
  }
}
