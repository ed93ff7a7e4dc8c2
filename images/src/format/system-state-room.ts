import type { SystemStateFile } from './system-state-manifest.ts';

/** A file fills whole clusters (64 KiB are Windows' largest usual ones) and has a record of its own. */
const perFileBytes = 68 << 10;
const leastSpareBytes = 16 << 20;

/** What a copy of these files needs on an NTFS volume, with something to spare for the volume's own records. */
export function roomForFiles(files: readonly Pick<SystemStateFile, 'bytes'>[]): number {
  const content = totalBytes(files);
  return content + files.length * perFileBytes + Math.max(leastSpareBytes, Math.ceil(content / 100));
}

export const totalBytes = (files: readonly { readonly bytes: number }[]): number =>
  files.reduce((sum, { bytes }) => sum + bytes, 0);
