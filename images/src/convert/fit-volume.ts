import { RekindleError } from '#base/errors.ts';
import type { ByteRange } from '../format/chunk-grid.ts';
import type { DiskBytes } from '../format/partition-table/disk-bytes.ts';
import { parsePartitionTable } from '../format/partition-table/partition-table.ts';

/**
 * A volume of an image, replaced by the one in a file: that of Windows Server Backup (a small disk with one partition),
 * or the volume alone. Pure but for the reads.
 */
export interface FittedVolume {
  /** Where its bytes are in the file. */
  readonly fileOffset: number;
  /** So many are taken; the rest of the place on the disk is zeros. */
  readonly sizeBytes: number;
  /** Bytes that say where on its disk a volume lies, as they have to be there; from the volume's start. */
  readonly patches: readonly { readonly at: number; readonly bytes: Uint8Array }[];
}

/** Microsoft reserved partition: it holds nothing. */
const reservedType = 'E3C9E316-0B5C-4DB8-817D-F92DF00215AE';

/**
 * @param place of the volume on the station's disk, whose sectors have `sectorBytes`
 * @param what the file is, for messages
 * @throws RekindleError `target-unfit`
 */
export function fitVolume(
  file: DiskBytes,
  place: ByteRange,
  sectorBytes: number,
  what: string,
): FittedVolume {
  const refuse = (why: string, next: string): never => {
    throw new RekindleError('target-unfit', `Importing ${what}: ${why}`, { next });
  };
  const volume = findOnlyVolume(file, refuse);
  const ntfs = readNtfsGeometry(file, volume);
  if (ntfs === null) {
    if (volume.sizeBytes === place.sizeBytes)
      return { fileOffset: volume.startByte, sizeBytes: place.sizeBytes, patches: [] };
    return refuse(
      `its volume has ${volume.sizeBytes} bytes, its place on the disk ${place.sizeBytes}, and only NTFS says how much of that it needs`,
      'Capture the station from the network (F12) once more: its partitions are not those of the base image any more.',
    );
  }
  // The last sector holds the copy of the boot sector, behind what the file system counts as its own.
  const needed = ntfs.volumeBytes + ntfs.sectorBytes;
  if (needed > place.sizeBytes)
    return refuse(
      `its NTFS needs ${needed} bytes, its place on the disk has ${place.sizeBytes}`,
      'The volume was made larger since the base image: capture the station from the network (F12) once more.',
    );
  if (needed > volume.sizeBytes)
    return refuse(
      `its NTFS needs ${needed} bytes, and the file holds ${volume.sizeBytes} of it`,
      'It is cut off: take another copy.',
    );
  // BIOS boot code adds it to every address (NTFS boot sector, 0x1c: hidden sectors).
  const hiddenSectors = Buffer.alloc(4);
  hiddenSectors.writeUInt32LE((place.startByte / sectorBytes) % 2 ** 32);
  return {
    fileOffset: volume.startByte,
    sizeBytes: needed,
    patches: [0, ntfs.volumeBytes].map((start) => ({ at: start + 0x1c, bytes: hiddenSectors })),
  };
}

function findOnlyVolume(file: DiskBytes, refuse: (why: string, next: string) => never): ByteRange {
  const whole = { startByte: 0, sizeBytes: file.sizeBytes };
  if (isFileSystem(file)) return whole;
  const table = parsePartitionTable(file);
  const volumes = table.partitions.filter(({ partitionType }) => partitionType !== reservedType);
  const [only, ...others] = volumes;
  if (only === undefined) return refuse('it holds no volume', 'Name the file of one volume.');
  if (others.length > 0)
    return refuse(
      `it holds ${volumes.length} volumes`,
      'A file with a whole disk is imported without --base; else name one file for each volume.',
    );
  return only;
}

/** Boot sectors of NTFS, exFAT and FAT end like an MBR, so their names are asked first; ext has its own place. */
function isFileSystem(file: DiskBytes): boolean {
  if (file.sizeBytes < 4096) return false;
  const start = Buffer.from(file.read(0, 4096));
  const name = start.toString('latin1', 3, 11);
  if (['NTFS    ', 'EXFAT   '].includes(name)) return true;
  const fat = [start.toString('latin1', 54, 57), start.toString('latin1', 82, 85)];
  return fat.includes('FAT') || start.readUInt16LE(1024 + 56) === 0xef53;
}

function readNtfsGeometry(
  file: DiskBytes,
  { startByte, sizeBytes }: ByteRange,
): { readonly sectorBytes: number; readonly volumeBytes: number } | null {
  if (sizeBytes < 512) return null;
  const boot = Buffer.from(file.read(startByte, 512));
  if (boot.toString('latin1', 3, 11) !== 'NTFS    ') return null;
  const sectorBytes = boot.readUInt16LE(0x0b);
  return { sectorBytes, volumeBytes: Number(boot.readBigUInt64LE(0x28)) * sectorBytes };
}
