import { RekindleError } from '#base/errors.ts';
import { type DiskHandle, dropCaches } from '#images/block-device/disk-handle.ts';

/**
 * Makes the next read of a disk come from the medium: what is read back from memory proves nothing. For a disk kept
 * in a file the attempt is enough.
 * @throws RekindleError `target-unfit`: the device allows no unbuffered access, and the cache cannot be dropped
 */
export function forgetCache(
  disk: Pick<DiskHandle, 'path' | 'direct' | 'isBlockDevice'>,
  drop: () => boolean = dropCaches,
): void {
  if (disk.direct || drop() || !disk.isBlockDevice) return;
  throw new RekindleError(
    'target-unfit',
    `Reading ${disk.path} past the page cache: it allows no unbuffered access, and the cache cannot be dropped`,
    {
      next: 'Run the restore as root, on the machine itself: what was written could not be verified otherwise.',
    },
  );
}
