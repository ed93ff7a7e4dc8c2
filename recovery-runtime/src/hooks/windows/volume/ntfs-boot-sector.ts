/** What the boot sector of a Windows volume says about where the volume lies. */
export type VolumeBootSector =
  | {
      readonly kind: 'ntfs';
      readonly sectorBytes: number;
      /** Sectors before the volume on its disk: what boot code adds to every address. */
      readonly hiddenSectors: number;
      /** Without the backup boot sector, which is the partition's last. */
      readonly sectors: bigint;
    }
  | { readonly kind: 'bitlocker' }
  | { readonly kind: 'other' };

/** @param bytes the volume's first 512 */
export function parseVolumeBootSector(bytes: Buffer): VolumeBootSector {
  const name = bytes.toString('latin1', 3, 11);
  if (name === '-FVE-FS-') return { kind: 'bitlocker' };
  if (name !== 'NTFS    ' || bytes.readUInt16LE(510) !== 0xaa55) return { kind: 'other' };
  return {
    kind: 'ntfs',
    sectorBytes: bytes.readUInt16LE(0x0b),
    hiddenSectors: bytes.readUInt32LE(0x1c),
    sectors: bytes.readBigUInt64LE(0x28),
  };
}
