import { openDisk } from '#images/block-device/disk-handle.ts';
import { identifyFileSystem } from '#images/capture/identify-file-system.ts';
import { endOf } from '#images/format/chunk-grid.ts';
import type { Volume } from '#images/format/image-manifest.ts';
import { parsePartitionTable } from '#images/format/partition-table/partition-table.ts';
import {
  type InterruptedRestore,
  noteBytes,
  noteOffset,
  parseInterruptedRestore,
} from '../restore/interrupted-restore.ts';
import type { TargetDisk } from '../restore/restore-plan.ts';

/**
 * Facts about the disk in the machine, for `planRestore`. Reads only.
 * @param isRegisteredDisk WWN or serial number are those of the station's registered disk
 * @param sectorBytes of a disk kept in a file; a device says its own
 */
export function readTargetDisk(file: string, isRegisteredDisk: boolean, sectorBytes?: number): TargetDisk {
  const disk = openDisk(file, sectorBytes === undefined ? {} : { sectorBytes });
  try {
    const noteAt = (startByte: number): InterruptedRestore | null =>
      startByte + noteOffset + noteBytes > disk.sizeBytes
        ? null
        : parseInterruptedRestore(disk.read(startByte + noteOffset, noteBytes));
    const table = parsePartitionTable(disk);
    return {
      sizeBytes: disk.sizeBytes,
      logicalSectorBytes: disk.sectorBytes,
      isRegisteredDisk,
      table,
      interrupted: noteAt(0),
      halfRestored: table.partitions
        .filter(({ startByte }) => noteAt(startByte) !== null)
        .map(({ number }) => number),
    };
  } finally {
    disk.close();
  }
}

/**
 * File systems at the places of the image's data volumes, by volume number. A disk whose table is gone tells
 * this way whether they are still there.
 */
export async function findDataFileSystems(
  file: string,
  sizeBytes: number,
  volumes: readonly Volume[],
): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const volume of volumes.filter(({ role }) => role === 'data')) {
    if (endOf(volume) > sizeBytes) continue;
    const fileSystem = await identifyFileSystem(file, volume);
    if (fileSystem !== null) found.set(volume.number, fileSystem.type);
  }
  return found;
}
