import type { BlockDevice } from './block-devices.ts';
import { type Mount, mountOf } from './mount-table.ts';

/** Everything of a running system that can stand in the way of writing a disk. */
export interface SystemUse {
  readonly devices: readonly BlockDevice[];
  readonly mounts: readonly Mount[];
  /** Paths of /proc/swaps. */
  readonly swaps: readonly string[];
}

/** One reason why a disk may not be written. */
export interface DiskUse {
  readonly kind: 'read-only' | 'holds' | 'mounted' | 'swap' | 'stacked' | 'backing-file';
  /** e.g. "sda2 is mounted at /srv" */
  readonly sentence: string;
  readonly next: string;
}

/** What has to stay as it is during the restore: a folder that is read, or a device, mounted or not. */
export type Holding = {
  /** `the image store`, `the recovery medium` */
  readonly what: string;
} & (
  | {
      /** Absolute and without symbolic links. */
      readonly path: string;
    }
  /** Of sysfs, a partition or a disk. */
  | { readonly device: string }
);

/** Why a disk may not be written, most telling first; empty when nothing uses it. Pure. */
export function findDiskUses(disk: string, system: SystemUse, holdings: readonly Holding[] = []): DiskUse[] {
  const { devices, mounts, swaps } = system;
  const members = devices.filter((device) => device.name === disk || device.disk === disk);
  const uses: DiskUse[] = [];
  for (const holding of holdings) {
    const isOnIt =
      'path' in holding
        ? backingDisks(holding.path, system).has(disk)
        : members.some(({ name }) => name === holding.device);
    if (!isOnIt) continue;
    uses.push({
      kind: 'holds',
      sentence: `${holding.what} (${'path' in holding ? holding.path : holding.device}) lies on it`,
      next: 'Attach another disk for it, or restore onto another disk.',
    });
  }
  if (members.some(({ name, readOnly }) => name === disk && readOnly)) {
    uses.push({
      kind: 'read-only',
      sentence: 'it is write-protected',
      next: 'Remove the write protection (a switch, or blockdev --setrw), or use another disk.',
    });
  }
  for (const device of members) {
    for (const mount of mounts.filter((each) => isMountOf(each, device))) {
      uses.push({
        kind: 'mounted',
        sentence: `${device.name} is mounted at ${mount.mountPoint}`,
        next: `Unmount it (umount ${mount.mountPoint}), then start again.`,
      });
    }
    if (device.inFileSystem && !uses.some(({ kind }) => kind === 'mounted')) {
      uses.push({
        kind: 'mounted',
        sentence: `${device.name} belongs to a mounted btrfs file system`,
        next: 'Unmount that file system, then start again.',
      });
    }
    if (swaps.some((path) => path === `/dev/${device.name}`)) {
      uses.push({
        kind: 'swap',
        sentence: `${device.name} is swapped on`,
        next: `Switch it off (swapoff /dev/${device.name}), then start again.`,
      });
    }
    for (const holder of devices.filter(({ slaves }) => slaves.includes(device.name)))
      uses.push(stacked(device, holder));
    for (const loop of devices.filter(({ backingFile }) => backingFile === `/dev/${device.name}`)) {
      uses.push({
        kind: 'backing-file',
        sentence: `${device.name} is behind the loop device ${loop.name}`,
        next: `Detach it (losetup --detach /dev/${loop.name}), then start again.`,
      });
    }
  }
  return uses;
}

function isMountOf({ number, source }: Mount, device: BlockDevice): boolean {
  return number === device.number || source === `/dev/${device.name}`;
}

function stacked(device: BlockDevice, holder: BlockDevice): DiskUse {
  const named = holder.mapperName ?? holder.name;
  const use = (what: string, command: string): DiskUse => ({
    kind: 'stacked',
    sentence: `${device.name} is part of ${what} ${named}, which is in use`,
    next: `Stop it (${command}), then start again.`,
  });
  const uuid = holder.mapperUuid ?? '';
  if (uuid.startsWith('LVM-')) return use('the LVM volume', `lvchange --activate n /dev/mapper/${named}`);
  if (uuid.startsWith('CRYPT-')) return use('the encrypted volume', `cryptsetup close ${named}`);
  if (holder.mapperName !== undefined) return use('the device-mapper device', `dmsetup remove ${named}`);
  if (holder.name.startsWith('md')) return use('the RAID', `mdadm --stop /dev/${named}`);
  return use('the device', `see /sys/class/block/${holder.name}`);
}

/**
 * The whole disks that a path needs to be read: its mount, and everything below that down to disks (partitions,
 * LVM, encryption, RAID, loop devices and the files behind them, layers of an overlay).
 * Empty for memory and the network. Pure.
 */
export function backingDisks(path: string, system: SystemUse): Set<string> {
  const disks = new Set<string>();
  const seen = new Set<string>();
  const followDevice = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const device = system.devices.find((each) => each.name === name);
    if (device === undefined) return;
    const { disk, slaves, backingFile } = device;
    if (disk !== undefined) followDevice(disk);
    for (const slave of slaves) followDevice(slave);
    if (backingFile?.startsWith('/dev/')) followDevice(backingFile.slice('/dev/'.length));
    else if (backingFile !== undefined) followPath(backingFile);
    if (disk === undefined && slaves.length === 0 && backingFile === undefined) disks.add(name);
    // A loop device is a disk as well, with what is behind it.
    if (backingFile !== undefined) disks.add(name);
  };
  const followPath = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const mount = mountOf(file, system.mounts);
    if (mount === undefined) return;
    for (const device of system.devices) if (isMountOf(mount, device)) followDevice(device.name);
    const mapped = system.devices.find(
      ({ mapperName }) => mapperName !== undefined && mount.source === `/dev/mapper/${mapperName}`,
    );
    if (mapped !== undefined) followDevice(mapped.name);
    if (mount.type === 'btrfs')
      for (const device of system.devices) if (device.inFileSystem) followDevice(device.name);
    if (mount.type === 'overlay') for (const layer of overlayLayers(mount.options)) followPath(layer);
  };
  followPath(path);
  return disks;
}

function overlayLayers(options: string): string[] {
  return options
    .split(',')
    .map((option) => /^(?:lowerdir\+?|upperdir|datadir\+?)=(.*)$/.exec(option)?.[1] ?? '')
    .flatMap((paths) => paths.split(':'))
    .filter((layer) => layer.startsWith('/'));
}
