import { endOf } from '#images/format/chunk-grid.ts';
import { zeroChunkId } from '#images/format/chunk-id.ts';
import { chunkAt, chunkCount, type DiskIndex } from '#images/format/disk-index.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import { readSlots } from '#images/format/partition-table/mbr.ts';

/** How large a disk has to be for an image. */

export const tableBytes = (base64: string): number => Buffer.byteLength(base64, 'base64');

/** First byte of the image's backup GPT; null without one. */
export function backupStart(disk: ImageDisk): number | null {
  const length = tableBytes(disk.partitionTable.backup);
  return length === 0 ? null : disk.sizeBytes - length;
}

/**
 * Smallest disk that takes the image. A partition counts to its end, used or not: its table entry may not point
 * beyond the disk, and no file system is shrunk here. Behind the last partition the last chunk that is not zero
 * counts, and a backup GPT needs its room. Never more than the disk that the image was taken from: whatever its table
 * is like, a damaged or misplaced backup GPT included, it goes back there as it was.
 */
export function bytesNeeded(disk: ImageDisk, index: DiskIndex): number {
  const backupAt = backupStart(disk) ?? disk.sizeBytes;
  let used = Math.max(0, mbrEnd(disk), ...disk.volumes.map(endOf));
  for (let number = chunkCount(index) - 1; number >= 0; number--) {
    const chunk = chunkAt(index, number);
    if (endOf(chunk) <= used) break;
    // The backup GPT moves; the chunk that it lies in is not use of the disk.
    if (endOf(chunk) > backupAt) continue;
    if (chunk.id !== zeroChunkId(chunk.sizeBytes, index.digest)) used = endOf(chunk);
  }
  if (disk.partitionTable.kind !== 'gpt') return used;
  const sector = disk.logicalSectorBytes;
  const backupBytes = Math.max(tableBytes(disk.partitionTable.backup), sector + 128 * 128);
  return Math.min(disk.sizeBytes, Math.ceil(used / sector) * sector + backupBytes);
}

/** End of the last entry of an MBR: an extended partition may reach behind its last logical one. */
function mbrEnd(disk: ImageDisk): number {
  const primary = Buffer.from(disk.partitionTable.primary, 'base64');
  if (disk.partitionTable.kind !== 'mbr' || primary.length < 512) return 0;
  const ends = readSlots(primary).map((slot) =>
    slot.type === 0 ? 0 : (slot.firstLba + slot.sectors) * disk.logicalSectorBytes,
  );
  // An entry that was beyond the original disk already says nothing about this one.
  return Math.max(...ends.filter((end) => end <= disk.sizeBytes), 0);
}
