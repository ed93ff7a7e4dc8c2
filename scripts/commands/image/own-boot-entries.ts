import { existsSync } from 'node:fs';
import { openDisk } from '#images/block-device/disk-handle.ts';
import { parsePartitionTable } from '#images/format/partition-table/partition-table.ts';
import { type BootVariables, startsFrom } from '#runtime/firmware/boot-entries.ts';
import { efivarsFolder, readBootVariables } from '#runtime/firmware/efivars.ts';

/**
 * Boot entries of this machine's firmware, when it is the station: when one of them starts from a partition of the
 * disks that are captured. Of disks that only lie in this machine the firmware here knows nothing, and none are taken.
 * @param disks block devices or disk files; read-only
 * @param kind of the station's firmware
 */
export async function ownBootEntries(
  disks: readonly string[],
  kind: 'bios' | 'uefi',
  folder = efivarsFolder,
): Promise<BootVariables> {
  const none: BootVariables = { entries: [], order: [] };
  if (kind === 'bios' || !existsSync(folder)) return none;
  const partitionGuids = new Set(disks.flatMap(partitionGuidsOf));
  const found = await readBootVariables(folder);
  return found.entries.some((entry) => startsFrom(entry, partitionGuids)) ? found : none;
}

function partitionGuidsOf(file: string): string[] {
  const disk = openDisk(file);
  try {
    return parsePartitionTable(disk).partitions.flatMap(({ partitionGuid }) => partitionGuid ?? []);
  } finally {
    disk.close();
  }
}
