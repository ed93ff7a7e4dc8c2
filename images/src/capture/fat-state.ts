import type { ReadVolume } from './ntfs/ntfs-volume.ts';

/** FAT12, 16 or 32, and whether it was left cleanly (Microsoft's FAT specification, 1.03, and its dirty flags). */
export interface FatState {
  readonly bits: 12 | 16 | 32;
  readonly dirty: boolean;
  readonly clusters: number;
  readonly clusterBytes: number;
  /** First byte of the first cluster, which has the number 2. */
  readonly dataStart: number;
  readonly fatStart: number;
  /** Of one table, and how many there are, one behind the other. */
  readonly fatBytes: number;
  readonly fats: number;
}

/** @throws Error: no FAT boot sector */
export function readFatState(read: ReadVolume): FatState {
  const boot = Buffer.from(read(0, 512));
  const sectorBytes = boot.readUInt16LE(11);
  const perCluster = boot.readUInt8(13);
  const reserved = boot.readUInt16LE(14);
  if (boot.readUInt16LE(510) !== 0xaa55 || sectorBytes < 512 || perCluster === 0 || reserved === 0)
    throw new Error('it has no boot sector');
  const fatSectors16 = boot.readUInt16LE(22);
  const fatSectors = fatSectors16 || boot.readUInt32LE(36);
  const rootSectors = Math.ceil((boot.readUInt16LE(17) * 32) / sectorBytes);
  const sectors = boot.readUInt16LE(19) || boot.readUInt32LE(32);
  const fats = boot.readUInt8(16);
  const dataAt = reserved + fats * fatSectors + rootSectors;
  const dataSectors = sectors - dataAt;
  // FAT32 is laid out otherwise, however few clusters it was made with; their number tells the other two apart.
  const clusters = Math.floor(dataSectors / perCluster);
  const bits = fatSectors16 === 0 ? 32 : clusters < 4085 ? 12 : 16;
  const layout = {
    clusters,
    clusterBytes: perCluster * sectorBytes,
    dataStart: dataAt * sectorBytes,
    fatStart: reserved * sectorBytes,
    fatBytes: fatSectors * sectorBytes,
    fats,
  };
  // It has no flag in its table.
  if (bits === 12) return { ...layout, bits, dirty: (boot.readUInt8(0x25) & 1) !== 0 };
  const bootFlags = boot.readUInt8(bits === 16 ? 0x25 : 0x41);
  const second = Buffer.from(read(reserved * sectorBytes, 512));
  const cleanShutdown = bits === 16 ? second.readUInt16LE(2) & 0x8000 : second.readUInt32LE(4) & 0x08000000;
  return { ...layout, bits, dirty: (bootFlags & 1) !== 0 || cleanShutdown === 0 };
}
