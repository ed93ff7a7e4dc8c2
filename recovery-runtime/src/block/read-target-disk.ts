import { openDisk } from '#images/block-device/disk-handle.ts';
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
    let interrupted: InterruptedRestore | null = null;
    if (disk.sizeBytes >= noteOffset + noteBytes)
      interrupted = parseInterruptedRestore(disk.read(noteOffset, noteBytes));
    return {
      sizeBytes: disk.sizeBytes,
      logicalSectorBytes: disk.sectorBytes,
      isRegisteredDisk,
      table: parsePartitionTable(disk),
      interrupted,
    };
  } finally {
    disk.close();
  }
}
