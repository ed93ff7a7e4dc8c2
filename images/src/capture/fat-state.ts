import type { ReadVolume } from './ntfs/ntfs-volume.ts';

/** FAT12, 16 or 32, and whether it was left cleanly (Microsoft's FAT specification, 1.03, and its dirty flags). */
export interface FatState {
  readonly bits: 12 | 16 | 32;
  readonly dirty: boolean;
}

/** @throws Error: no FAT boot sector */
export function readFatState(read: ReadVolume): FatState {
  const boot = Buffer.from(read(0, 512));
  const sectorBytes = boot.readUInt16LE(11);
  const perCluster = boot.readUInt8(13);
  const reserved = boot.readUInt16LE(14);
  if (boot.readUInt16LE(510) !== 0xaa55 || sectorBytes < 512 || perCluster === 0 || reserved === 0)
    throw new Error('it has no boot sector');
  const fatSectors = boot.readUInt16LE(22) || boot.readUInt32LE(36);
  const rootSectors = Math.ceil((boot.readUInt16LE(17) * 32) / sectorBytes);
  const sectors = boot.readUInt16LE(19) || boot.readUInt32LE(32);
  const dataSectors = sectors - reserved - boot.readUInt8(16) * fatSectors - rootSectors;
  // The number of clusters, and nothing else, says which FAT it is.
  const clusters = Math.floor(dataSectors / perCluster);
  const bits = clusters < 4085 ? 12 : clusters < 65_525 ? 16 : 32;
  if (bits === 12) return { bits, dirty: false };
  const bootFlags = boot.readUInt8(bits === 16 ? 0x25 : 0x41);
  const second = Buffer.from(read(reserved * sectorBytes, 512));
  const cleanShutdown = bits === 16 ? second.readUInt16LE(2) & 0x8000 : second.readUInt32LE(4) & 0x08000000;
  return { bits, dirty: (bootFlags & 1) !== 0 || cleanShutdown === 0 };
}
