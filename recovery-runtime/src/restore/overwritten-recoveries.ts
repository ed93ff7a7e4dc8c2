import { type StationTicket, stationTicketSchema, ticketFile } from '#contract/station-ticket.ts';
import { openDisk } from '#images/block-device/disk-handle.ts';
import { type ByteRange, overlaps } from '#images/format/chunk-grid.ts';
import type { Partition } from '#images/format/partition-table/partition-table.ts';
import { texts } from '../console/texts.ts';
import { fatFiles } from '../hooks/windows/boot/fat-files.ts';

/**
 * Recoveries that were installed into partitions of a disk (`rekindle media install`) and that a restore writes over:
 * the image was taken without them, or has an older one. Nothing is lost that cannot be made again, but somebody has
 * to know that it has to be. Only reads.
 * @returns a sentence each
 */
export async function warnOfRecoveries(
  disk: string,
  partitions: readonly Partition[],
  restored: readonly ByteRange[],
): Promise<string[]> {
  const sentences: string[] = [];
  for (const partition of partitions.filter((each) => restored.some((range) => overlaps(range, each)))) {
    const ticket = isFat(disk, partition.startByte) ? await readTicket(disk, partition) : undefined;
    if (ticket !== undefined) sentences.push(texts.overwritesRecovery(ticket.station, partition.number));
  }
  return sentences;
}

/**
 * By the name of the type in its boot sector (Microsoft's FAT specification: at 54 for FAT12/16, at 82 for FAT32). A
 * sector that cannot be read, as disks that are to be restored have them, is none: no restore fails by this look.
 */
function isFat(path: string, startByte: number): boolean {
  const disk = openDisk(path);
  try {
    const sector = Buffer.from(disk.read(startByte, 512));
    return [54, 82].some((at) => sector.toString('latin1', at, at + 3) === 'FAT');
  } catch {
    return false;
  } finally {
    disk.close();
  }
}

/** Its signature does not matter here: nothing is started from it. One that cannot be read starts no station. */
async function readTicket(disk: string, { startByte }: Partition): Promise<StationTicket | undefined> {
  const files = fatFiles(`${disk}@@${startByte}`);
  const bytes = await files.read(`/${ticketFile}`).catch(() => null);
  if (bytes === null) return undefined;
  try {
    return stationTicketSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    return undefined;
  }
}
