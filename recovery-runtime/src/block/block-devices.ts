import { listDirectory, readAttribute, readNumber, resolveLink, type Sysfs } from '../inventory/sysfs.ts';

/** A disk, a partition, or something stacked on them, as the kernel knows it now. */
export interface BlockDevice {
  /** e.g. `sda2`, `dm-0`; a `!` of sysfs is a `/` below /dev. */
  readonly name: string;
  /** `8:2`, as mountinfo and stat have it. */
  readonly number: string;
  /** Of a partition: its disk. */
  readonly disk: string | undefined;
  /** What it is made of: members of a RAID, the volume below an encrypted one. */
  readonly slaves: readonly string[];
  readonly readOnly: boolean;
  /** Of a loop device: the file or device that it stands for. */
  readonly backingFile: string | undefined;
  /** `LVM-…`, `CRYPT-LUKS2-…`, `mpath-…`: whose device-mapper device it is. */
  readonly mapperUuid: string | undefined;
  readonly mapperName: string | undefined;
  /** Belongs to a file system that is in use; btrfs has several devices and mounts only one of them. */
  readonly inFileSystem: boolean;
}

export async function readBlockDevices(sysfs: Sysfs): Promise<BlockDevice[]> {
  const [names, btrfs] = await Promise.all([
    listDirectory(sysfs, 'sys/class/block'),
    readBtrfsMembers(sysfs),
  ]);
  return Promise.all(
    names.map(async (name): Promise<BlockDevice> => {
      const folder = `sys/class/block/${name}`;
      const path = await resolveLink(sysfs, folder);
      const isPartition = (await readNumber(sysfs, `${folder}/partition`)) !== undefined;
      const text = async (attribute: string): Promise<string | undefined> =>
        (await readAttribute(sysfs, `${folder}/${attribute}`))?.trim() || undefined;
      return {
        name,
        number: (await text('dev')) ?? '',
        disk: isPartition ? path?.split('/').at(-2) : undefined,
        slaves: await listDirectory(sysfs, `${folder}/slaves`),
        readOnly: (await readNumber(sysfs, `${folder}/ro`)) === 1,
        backingFile: await text('loop/backing_file'),
        mapperUuid: await text('dm/uuid'),
        mapperName: await text('dm/name'),
        inFileSystem: btrfs.has(name),
      };
    }),
  );
}

async function readBtrfsMembers(sysfs: Sysfs): Promise<Set<string>> {
  const systems = await listDirectory(sysfs, 'sys/fs/btrfs');
  const members = await Promise.all(
    systems.map((uuid) => listDirectory(sysfs, `sys/fs/btrfs/${uuid}/devices`)),
  );
  return new Set(members.flat());
}
