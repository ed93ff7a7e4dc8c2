/**
 * What a failed read says: something about that one file, or nothing about it because the store does not answer. A
 * share that is away for a moment must not make images damaged.
 */

/** EIO of a disk is a bad sector, EIO of a share a lost connection: only the store's root tells them apart. */
const faultsOfFile = new Set([
  'ENOENT',
  'ENOTDIR',
  'EISDIR',
  'ELOOP',
  'EIO',
  // Checksums and structures of a file system (btrfs, XFS, ext4).
  'EUCLEAN',
  'EBADMSG',
  'EILSEQ',
]);

/** Whether it may be the file's own fault: it is when the store's root still answers. */
export function mayBeFileFault(cause: unknown): boolean {
  return (
    !(cause instanceof Error && 'code' in cause && typeof cause.code === 'string') ||
    faultsOfFile.has(cause.code)
  );
}
