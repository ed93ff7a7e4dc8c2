import { statSync } from 'node:fs';
import type { DiskToRead } from '#images/capture/capture-image.ts';
import type { ImagedWindows } from '#images/format/image-manifest.ts';
import { readStationWindows } from '#runtime/hooks/windows/station-windows.ts';

/**
 * For the manifest, whichever way an image is made: a domain controller that came in as a file, or was captured while
 * it ran, is one too. What cannot be read costs no image, and is said.
 */
export async function readWindowsOf(disks: readonly DiskToRead[]): Promise<ImagedWindows | undefined> {
  const { windows, warning } = await readStationWindows(
    disks.map((disk) => ({ ...disk, isBlockDevice: statSync(disk.path).isBlockDevice() })),
  );
  if (warning !== undefined) console.error(`${warning}.`);
  return windows;
}
