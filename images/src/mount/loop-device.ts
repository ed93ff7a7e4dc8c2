import { RekindleError } from '#base/errors.ts';
import { callTool, type Tool } from '#base/run-tool.ts';
import type { ByteRange } from '../format/chunk-grid.ts';

const losetup: Tool = { command: 'losetup', debianPackage: 'util-linux' };

/** A read-only block device on a part of a file. */
export interface LoopDevice extends AsyncDisposable {
  readonly node: string;
}

/**
 * Disposing of it while it is in use lets the kernel detach it when its last user is gone.
 * @param sectorBytes of the disk that the file stands for
 */
export async function attachLoopDevice(
  file: string,
  range: ByteRange,
  sectorBytes: number,
): Promise<LoopDevice> {
  const doing = `Attaching a loop device to ${range.sizeBytes} bytes at byte ${range.startByte} of ${file}`;
  const result = await callTool(doing, losetup, [
    ...['--show', '--find', '--read-only'],
    ...['--offset', String(range.startByte), '--sizelimit', String(range.sizeBytes)],
    ...(sectorBytes === 512 ? [] : ['--sector-size', String(sectorBytes)]),
    file,
  ]);
  if (result.status !== 0) {
    throw new RekindleError('unexpected', doing, {
      cause: new Error(result.stderr.trim()),
      next: 'Run this as root, on a kernel with loop devices.',
    });
  }
  const node = result.stdout.toString().trim();
  return {
    node,
    async [Symbol.asyncDispose]() {
      await callTool(`Detaching ${node}`, losetup, ['--detach', node]);
    },
  };
}
