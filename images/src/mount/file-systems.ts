import type { Tool } from '#base/run-tool.ts';

/** One way to mount a file system, read-only. */
export interface MountWay {
  /** Called with `-o options device folder` behind `args`. */
  readonly tool: Tool;
  readonly args: readonly string[];
  readonly options: string;
  /** What a person has to know who reads files that were mounted in this way. */
  readonly remark?: string;
}

const mount: Tool = { command: 'mount', debianPackage: 'mount' };
/** A file in an image is for reading, never for running. */
const common = 'ro,nosuid,nodev,noexec';
const kernel = (type: string, options = '', remark?: string): MountWay => ({
  tool: mount,
  args: ['-t', type],
  options: options === '' ? common : `${common},${options}`,
  ...(remark === undefined ? {} : { remark }),
});
const notReplayed =
  'its journal was not replayed: what the system wrote in its last seconds may be missing or half there';

const ext = [kernel('ext4'), kernel('ext4', 'noload', notReplayed)];

/**
 * blkid's name of a file system -> the ways to mount it, tried in order. A file system that was in use when
 * its image was taken has a journal to replay, which a read-only device does not allow.
 */
export const fileSystems: Readonly<Record<string, readonly MountWay[]>> = {
  ext2: ext,
  ext3: ext,
  ext4: ext,
  // nouuid: the station's own disk may be mounted on this machine.
  xfs: [kernel('xfs', 'nouuid'), kernel('xfs', 'nouuid,norecovery', notReplayed)],
  btrfs: [kernel('btrfs'), kernel('btrfs', 'rescue=nologreplay', notReplayed)],
  ntfs: [{ tool: { command: 'ntfs-3g', debianPackage: 'ntfs-3g' }, args: [], options: common }],
  // Some kernels have no vfat and no exfat.
  vfat: [kernel('vfat'), { tool: { command: 'fusefat', debianPackage: 'fusefat' }, args: [], options: 'ro' }],
  exfat: [
    kernel('exfat'),
    { tool: { command: 'mount.exfat-fuse', debianPackage: 'exfat-fuse' }, args: [], options: common },
  ],
};

/** Why a volume of this kind gives no files. */
export const withoutFiles: Readonly<Record<string, string>> = {
  swap: 'it is swap space',
  BitLocker: 'it is encrypted with BitLocker; `rekindle image mount --nbd` hands the disk to dislocker',
  crypto_LUKS: 'it is encrypted with LUKS; `rekindle image mount --nbd` hands the disk to cryptsetup',
  LVM2_member: 'it belongs to LVM; `rekindle image mount --nbd` hands the disk to guestfish',
  linux_raid_member: 'it belongs to a RAID; `rekindle image mount --nbd` hands the disk to guestfish',
};
