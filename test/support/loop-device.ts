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
  return { path, [Symbol.dispose]: () => void run('losetup', '--detach', path) };
}

/** Mounts a device until it is disposed of. */
export function mountDevice(device: string, folder: string, ...options: string[]): Disposable {
  run('mount', ...options, device, folder);
  return { [Symbol.dispose]: () => void run('umount', folder) };
}
