import fs from 'node:fs';
import { run } from './restore-demo-disk.ts';

export interface LoopDevice extends Disposable {
  readonly path: string;
}

/** A real block device over a file, detached when it is disposed of. Needs root. */
export function attachLoop(
  file: string,
  {
    sectorBytes = 512,
    readOnly = false,
  }: { readonly sectorBytes?: number; readonly readOnly?: boolean } = {},
): LoopDevice {
  const options = [`--sector-size=${sectorBytes}`, ...(readOnly ? ['--read-only'] : [])];
  const path = run('losetup', '--show', '--find', ...options, file).trim();
  // A lock (BLKROSET) of whoever had this device before outlives the file behind it.
  if (!readOnly) run('blockdev', '--setrw', path);
  // So do partitions, of whoever was killed.
  const name = path.replace('/dev/', '');
  if (fs.readdirSync(`/sys/block/${name}`).some((entry) => entry.startsWith(`${name}p`)))
    dropPartitions(path);
  return { path, [Symbol.dispose]: () => void run('losetup', '--detach', path) };
}

/** The same with a node for each partition: `${path}p1`. */
export function attachPartitionedLoop(file: string): LoopDevice {
  const loop = attachLoop(file);
  const attached = {
    path: loop.path,
    [Symbol.dispose]: () => {
      dropPartitions(loop.path);
      loop[Symbol.dispose]();
    },
  };
  try {
    // Not --add: partitions of whoever had this device before may still be there.
    run('partx', '--update', loop.path);
    return attached;
  } catch (error) {
    attached[Symbol.dispose]();
    throw error;
  }
}

/** Whoever looks for a file system on any device (blkid) holds a partition for a moment. */
function dropPartitions(device: string): void {
  for (let left = 20; ; left--) {
    try {
      run('partx', '--delete', device);
      return;
    } catch (error) {
      if (left === 0) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
}

/** Mounts a device until it is disposed of. */
export function mountDevice(device: string, folder: string, ...options: string[]): Disposable {
  run('mount', ...options, device, folder);
  return { [Symbol.dispose]: () => void run('umount', folder) };
}
