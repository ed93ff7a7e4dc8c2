import type { ByteRange } from '../format/chunk-grid.ts';
import type { FatState } from './fat-state.ts';
import type { ReadVolume } from './ntfs/ntfs-volume.ts';

/**
 * Clusters that a FAT12 does not use (Microsoft's FAT specification, 1.03: two entries in three bytes, 0 is free).
 * partclone 0.3.23 reads every second entry wrong, and calls used clusters free.
 * @throws Error: its tables differ, or do not fit the volume
 */
export function readFat12Unused(read: ReadVolume, sizeBytes: number, fat: FatState): ByteRange[] {
  const { clusters, clusterBytes, dataStart, fatStart, fatBytes, fats } = fat;
  if (Math.ceil((clusters + 2) * 1.5) > fatBytes || dataStart + clusters * clusterBytes > sizeBytes)
    throw new Error('its clusters do not fit');
  const table = Buffer.from(read(fatStart, fatBytes));
  // Written one after the other: where they differ, the volume was left in between.
  for (let copy = 1; copy < fats; copy++)
    if (!table.equals(Buffer.from(read(fatStart + copy * fatBytes, fatBytes))))
      throw new Error('its two tables differ');
  const unused: { startByte: number; sizeBytes: number }[] = [];
  for (let cluster = 2; cluster < clusters + 2; cluster++) {
    const pair = table.readUInt16LE(cluster + (cluster >> 1));
    if ((cluster % 2 === 0 ? pair & 0xfff : pair >> 4) !== 0) continue;
    const startByte = dataStart + (cluster - 2) * clusterBytes;
    const last = unused.at(-1);
    if (last !== undefined && last.startByte + last.sizeBytes === startByte) last.sizeBytes += clusterBytes;
    else unused.push({ startByte, sizeBytes: clusterBytes });
  }
  return unused;
}
