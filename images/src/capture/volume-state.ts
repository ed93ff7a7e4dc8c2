import type { ByteRange } from '../format/chunk-grid.ts';
import { readFatState } from './fat-state.ts';
import { readFat12Unused } from './fat12-unused.ts';
import { readNtfsState } from './ntfs/ntfs-state.ts';
import type { ReadVolume } from './ntfs/ntfs-volume.ts';
import { isXfsLogClean } from './xfs-log.ts';

/** What a volume says about how it was left. */
export interface VolumeState {
  /** A Windows session is kept in it, and may count on every page file of the station. */
  readonly hibernated: boolean;
  /**
   * Why its allocation bitmap is no basis for leaving blocks out: what a log still holds may use blocks that the
   * bitmap calls free. partclone does not ask.
   */
  readonly unsound: string | undefined;
  /** Files whose contents are worth nothing, unless something is hibernated; ranges count from the volume. */
  readonly worthless: readonly { readonly name: string; readonly ranges: readonly ByteRange[] }[];
  /** What its bitmap calls unused, where we read that ourselves and partclone is not asked. */
  readonly unused?: readonly ByteRange[];
}

const sound: VolumeState = { hibernated: false, unsound: undefined, worthless: [] };
const unsound = (why: string): VolumeState => ({ ...sound, unsound: why });
const logToReplay = 'it was not left cleanly: its log is still to be replayed';
const markedDirty = 'it is marked dirty: it was not left cleanly';

const readers: Readonly<Record<string, (read: ReadVolume, sizeBytes: number) => VolumeState>> = {
  ntfs: readNtfsState,
  xfs: (read, sizeBytes) => (isXfsLogClean(read, sizeBytes) ? sound : unsound(logToReplay)),
  btrfs: (read) => (hasBtrfsLogTree(read) ? unsound(logToReplay) : sound),
  ext2: (read) => extState(read),
  ext3: (read) => extState(read),
  ext4: (read) => extState(read),
  vfat(read, sizeBytes) {
    const fat = readFatState(read);
    // By the specification it is none; by its layout it is one, and partclone, mtools and Linux go by this or by that.
    if (fat.bits === 32 && fat.clusters < 65_525)
      return unsound('it is a FAT32 of so few clusters that programs disagree how to read it');
    if (fat.dirty) return unsound(markedDirty);
    return fat.bits === 12 ? { ...sound, unused: readFat12Unused(read, sizeBytes, fat) } : sound;
  },
  exfat: (read) => (isExfatDirty(read) ? unsound(markedDirty) : sound),
};

/** Only reads; what is not understood is unsound, never an error. */
export function readVolumeState(
  read: ReadVolume,
  sizeBytes: number,
  fileSystem: string | undefined,
): VolumeState {
  const reader = fileSystem === undefined ? undefined : readers[fileSystem];
  if (reader === undefined) return sound;
  try {
    return reader(read, sizeBytes);
  } catch (error) {
    return unsound(
      `its ${fileSystem} is not understood: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** ext4 superblock at 1 KiB: state at 58 (1 clean, 2 errors), incompatible features at 96 (4: log to replay). */
function extState(read: ReadVolume): VolumeState {
  const superblock = Buffer.from(read(1024, 1024));
  if (superblock.readUInt16LE(56) !== 0xef53) throw new Error('it has no superblock');
  if ((superblock.readUInt32LE(96) & 4) !== 0) return unsound(logToReplay);
  return (superblock.readUInt16LE(58) & 3) === 1 ? sound : unsound(markedDirty);
}

/** btrfs superblock at 64 KiB: `log_root` is set while fsynced data is known to the log tree alone. */
function hasBtrfsLogTree(read: ReadVolume): boolean {
  const superblock = Buffer.from(read(0x10000, 4096));
  if (superblock.toString('latin1', 0x40, 0x48) !== '_BHRfS_M') throw new Error('it has no superblock');
  return superblock.readBigUInt64LE(0x60) !== 0n;
}

/** exFAT specification, 3.1.13.2: bit 1 of VolumeFlags is VolumeDirty. */
function isExfatDirty(read: ReadVolume): boolean {
  return (Buffer.from(read(0, 512)).readUInt16LE(0x6a) & 2) !== 0;
}
