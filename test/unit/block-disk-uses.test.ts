import { describe, expect, test } from 'vitest';
import type { BlockDevice } from '#runtime/block/block-devices.ts';
import { backingDisks, findDiskUses, type SystemUse } from '#runtime/block/disk-uses.ts';
import { mountOf, parseMountInfo, parseSwaps } from '#runtime/block/mount-table.ts';

const device = (name: string, number: string, facts: Partial<BlockDevice> = {}): BlockDevice => ({
  name,
  number,
  disk: undefined,
  slaves: [],
  readOnly: false,
  backingFile: undefined,
  mapperUuid: undefined,
  mapperName: undefined,
  inFileSystem: false,
  ...facts,
});
/** Two disks; the second one with LVM on LUKS on a partition, a RAID of two partitions, and loop devices. */
const devices: BlockDevice[] = [
  device('sda', '8:0'),
  device('sda1', '8:1', { disk: 'sda' }),
  device('sda2', '8:2', { disk: 'sda' }),
  device('sdb', '8:16'),
  device('sdb1', '8:17', { disk: 'sdb' }),
  device('sdb2', '8:18', { disk: 'sdb' }),
  device('sdc', '8:32'),
  device('sdc1', '8:33', { disk: 'sdc' }),
  device('dm-0', '253:0', { slaves: ['sdb1'], mapperUuid: 'CRYPT-LUKS2-ab', mapperName: 'safe' }),
  device('dm-1', '253:1', { slaves: ['dm-0'], mapperUuid: 'LVM-xy', mapperName: 'vg0-images' }),
  device('md127', '9:127', { slaves: ['sdb2', 'sdc1'] }),
  device('loop0', '7:0', { backingFile: '/srv/disk images/store.img' }),
  device('loop1', '7:1', { backingFile: '/dev/sda2' }),
];
const mountInfo = `
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
23 22 253:1 / /srv rw - xfs /dev/mapper/vg0-images rw
24 22 7:0 / /mnt/store rw - ext4 /dev/loop0 rw
25 22 9:127 / /mnt/raid\\040set rw shared:5 - ext4 /dev/md127 rw
26 22 0:55 / /mnt/share rw - cifs //server/images rw
27 22 0:56 / /mnt/pool rw - btrfs /dev/sdc rw
28 22 0:57 / /run/live rw - overlay overlay rw,lowerdir=/mnt/store:/mnt/raid\\040set,upperdir=/mnt/share,workdir=/x
`;
const system: SystemUse = { devices, mounts: parseMountInfo(mountInfo), swaps: ['/dev/sda2'] };
const quiet: SystemUse = { devices: devices.slice(0, 8), mounts: [], swaps: [] };

describe('mount table', () => {
  test('octal escapes, optional fields and the longest mount point', () => {
    expect(system.mounts[3]).toMatchObject({ number: '9:127', mountPoint: '/mnt/raid set', type: 'ext4' });
    expect(mountOf('/mnt/store/chunks', system.mounts)?.source).toBe('/dev/loop0');
    expect(mountOf('/mnt/storefront', system.mounts)?.mountPoint).toBe('/');
    const twice = parseMountInfo(
      '1 1 8:1 / /a rw - ext4 /dev/sda1 rw\n2 1 8:2 / /a rw - ext4 /dev/sda2 rw\n',
    );
    expect(mountOf('/a/b', twice)?.source).toBe('/dev/sda2');
  });
  test('swaps', () => {
    expect(parseSwaps('Filename\tType\n/dev/sda3   partition 1 0 -2\n/swap\\040file file 1 0 -3\n')).toEqual([
      '/dev/sda3',
      '/swap file',
    ]);
  });
});

describe('disks that a path needs', () => {
  test.each([
    ['/etc', ['sda']],
    ['/srv/store', ['sdb']],
    ['/mnt/store', ['sdb', 'loop0']],
    ['/mnt/raid set/x', ['sdb', 'sdc']],
    ['/mnt/share', []],
    ['/mnt/pool', ['sdc']],
    ['/run/live/store', ['sdb', 'sdc', 'loop0']],
  ])('%s', (path, expected) => {
    expect([...backingDisks(path, system)].sort()).toEqual(expected.toSorted());
  });
  test('a btrfs of several devices: all of them', () => {
    const btrfs = devices.map((each) =>
      ['sda2', 'sdb2'].includes(each.name) ? { ...each, inFileSystem: true } : each,
    );
    const mounts = parseMountInfo('1 1 0:40 / / rw - btrfs /dev/sda2 rw\n');
    expect([...backingDisks('/x', { devices: btrfs, mounts, swaps: [] })]).toEqual(['sda', 'sdb']);
  });
});

describe('a disk is refused', () => {
  const sentences = (disk: string, use = system, path?: string) =>
    findDiskUses(disk, use, path === undefined ? [] : [{ path, what: 'the image store' }]).map(
      ({ sentence }) => sentence,
    );
  test('mounted, swapped on, behind a loop device: each in its own words', () => {
    expect(sentences('sda')).toEqual([
      'sda1 is mounted at /',
      'sda2 is swapped on',
      'sda2 is behind the loop device loop1',
    ]);
  });
  test('part of an encrypted volume, of a RAID', () => {
    expect(sentences('sdb')).toEqual([
      'sdb1 is part of the encrypted volume safe, which is in use',
      'sdb2 is part of the RAID md127, which is in use',
    ]);
  });
  test('part of an LVM volume, with what to do', () => {
    const lvm = device('dm-5', '253:5', { slaves: ['sda1'], mapperUuid: 'LVM-q', mapperName: 'vg-root' });
    expect(findDiskUses('sda', { ...quiet, devices: [...quiet.devices, lvm] })).toEqual([
      {
        kind: 'stacked',
        sentence: 'sda1 is part of the LVM volume vg-root, which is in use',
        next: 'Stop it (lvchange --activate n /dev/mapper/vg-root), then start again.',
      },
    ]);
  });
  test('holding the image store, through whatever lies between', () => {
    expect(sentences('sdb', system, '/mnt/store')[0]).toBe('the image store (/mnt/store) lies on it');
    expect(sentences('sdc', system, '/mnt/store')).not.toContain('the image store (/mnt/store) lies on it');
  });
  test('write-protected', () => {
    const locked = quiet.devices.map((each) => (each.name === 'sda' ? { ...each, readOnly: true } : each));
    expect(sentences('sda', { ...quiet, devices: locked })).toEqual(['it is write-protected']);
  });
  test('not when nothing uses it', () => {
    expect(sentences('sda', quiet)).toEqual([]);
  });
});

test('a device that has to stay, mounted or not, keeps its whole disk and no other', () => {
  const medium = [{ what: 'the recovery medium', device: 'sdb1' }];
  expect(findDiskUses('sdb', quiet, medium)).toMatchObject([
    { kind: 'holds', sentence: 'the recovery medium (sdb1) lies on it' },
  ]);
  expect(findDiskUses('sdb', quiet, [{ what: 'the recovery medium', device: 'sdb' }])).toHaveLength(1);
  expect(findDiskUses('sda', quiet, medium)).toEqual([]);
});
