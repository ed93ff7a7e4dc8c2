import { describe, expect, test } from 'vitest';
import { parseMountInfo } from '#images/block-device/mounts-of-disk.ts';
import { readFatState } from '#images/capture/fat-state.ts';
import { readFat12Unused } from '#images/capture/fat12-unused.ts';
import { isLogFileClean } from '#images/capture/ntfs/log-file.ts';
import { parseMappingPairs } from '#images/capture/ntfs/mapping-pairs.ts';
import { readVolumeState } from '#images/capture/volume-state.ts';

describe('NTFS mapping pairs', () => {
  const parse = (hex: string) => parseMappingPairs(Buffer.from(hex, 'hex'), 0);

  test('runs, forwards and backwards, with a hole', () => {
    // 0x30 clusters at 0x1234; 8 clusters nowhere; 0x100 clusters 0x100 before the first run.
    expect(parse('21303412' + '0108' + '220001' + '00ff' + '00')).toEqual([
      { vcn: 0, lcn: 0x1234, clusters: 0x30 },
      { vcn: 0x30, lcn: null, clusters: 8 },
      { vcn: 0x38, lcn: 0x1134, clusters: 0x100 },
    ]);
  });

  test.each([
    ['without an end', '21303412', 'have no end'],
    ['cut off', '213034', 'a mapping pair begins with'],
    ['before the volume', '1130ff00', 'begins at cluster -1'],
    ['of no length', '1100100000', 'has 0 clusters'],
    ['of a negative length', '11f0100000', 'has -16 clusters'],
    ['longer than any number', '8fffffffffffffffffff00', 'a mapping pair begins with'],
  ])('%s: refused', (_, hex, why) => expect(() => parse(hex)).toThrow(why));
});

describe('$LogFile', () => {
  /** A restart page by hand: client in use, flags, LSN. */
  function page(clientInUse: number, flags: number, lsn: bigint): Buffer {
    const bytes = Buffer.alloc(4096);
    bytes.write('RSTR', 'latin1');
    bytes.writeUInt16LE(0x1e, 4);
    bytes.writeUInt16LE(9, 6);
    bytes.writeUInt16LE(0x30, 0x18);
    bytes.writeBigUInt64LE(lsn, 0x30);
    bytes.writeUInt16LE(clientInUse, 0x3c);
    bytes.writeUInt16LE(flags, 0x3e);
    for (let sector = 0; sector <= 8; sector++)
      bytes.writeUInt16LE(7, sector === 0 ? 0x1e : sector * 512 - 2);
    return bytes;
  }
  const clean = (first: Buffer, second: Buffer): boolean => isLogFileClean(Buffer.concat([first, second]));

  test('formatted or emptied: clean', () => expect(isLogFileClean(Buffer.alloc(8192, 0xff))).toBe(true));
  test('no client, or the clean flag', () => {
    expect(clean(page(0xffff, 0, 1n), page(0xffff, 0, 2n))).toBe(true);
    expect(clean(page(0, 2, 1n), page(0, 2, 2n))).toBe(true);
    expect(clean(page(0, 0, 1n), page(0, 0, 2n))).toBe(false);
  });
  test('the newer page counts, the other one when that is torn', () => {
    expect(clean(page(0, 0, 9n), page(0xffff, 0, 8n))).toBe(false);
    expect(clean(page(0, 0, 8n), page(0xffff, 0, 9n))).toBe(true);
    const torn = page(0xffff, 0, 9n);
    torn.writeUInt16LE(8, 1022);
    expect(clean(page(0, 0, 8n), torn)).toBe(false);
  });
  test('zeros are no log', () => expect(isLogFileClean(Buffer.alloc(8192))).toBe(false));
});

describe('FAT', () => {
  /** A boot sector and the first sector of the FAT behind it. */
  function fat(
    clusters: number,
    change: (volume: Buffer) => void = () => {},
    is32 = clusters > 65_524,
  ): Buffer {
    const bytes = Buffer.alloc(1024);
    bytes.writeUInt16LE(512, 11);
    bytes.writeUInt8(1, 13);
    bytes.writeUInt16LE(1, 14);
    bytes.writeUInt8(2, 16);
    if (is32) bytes.writeUInt32LE(512, 36);
    else bytes.writeUInt16LE(512, 22);
    bytes.writeUInt32LE(clusters + 1 + 2 * 512, 32);
    bytes.writeUInt16LE(0xaa55, 510);
    bytes.fill(0xff, 512, 520);
    change(bytes);
    return bytes;
  }
  const read = (bytes: Buffer) => readFatState((offset, length) => bytes.subarray(offset, offset + length));

  test('which one it is by its layout, then by its clusters', () => {
    expect([4084, 4085, 65_524, 65_525].map((clusters) => read(fat(clusters)).bits)).toEqual([
      12, 16, 16, 32,
    ]);
    // mkfs.vfat -F 32 -s 64: few clusters, and four bytes for each.
    expect(read(fat(3000, () => {}, true)).bits).toBe(32);
  });
  test('FAT12: what is not used, from two entries in three bytes, by hand', () => {
    const layout = {
      clusters: 6,
      clusterBytes: 1024,
      dataStart: 4096,
      fatStart: 512,
      fatBytes: 512,
      fats: 2,
    };
    const volume = Buffer.alloc(16_384);
    // 2 goes on at 003; 5 at 100; 6 is bad; 3, 4 and 7 are free.
    for (const at of [512, 1024]) volume.write('f8ffff' + '030000' + '000010' + 'f70f00', at, 'hex');
    const unused = (bytes: Buffer) =>
      readFat12Unused((offset, length) => bytes.subarray(offset, offset + length), bytes.length, {
        ...layout,
        bits: 12,
        dirty: false,
      });
    expect(unused(volume)).toEqual([
      { startByte: 4096 + 1024, sizeBytes: 2048 },
      { startByte: 4096 + 5 * 1024, sizeBytes: 1024 },
    ]);
    expect(() => unused(volume.subarray(0, 10_000))).toThrow('its clusters do not fit');
  });
  test('dirty by the boot sector or by the second entry', () => {
    expect(read(fat(70_000)).dirty).toBe(false);
    expect(read(fat(70_000, (bytes) => bytes.writeUInt8(1, 0x41))).dirty).toBe(true);
    expect(read(fat(70_000, (bytes) => bytes.writeUInt32LE(0x07ffffff, 516))).dirty).toBe(true);
    expect(read(fat(5000, (bytes) => bytes.writeUInt16LE(0x7fff, 514))).dirty).toBe(true);
  });
});

test('what is not understood is taken whole, never an error', () => {
  const noise = Buffer.from('no file system at all '.repeat(4000));
  const read = (offset: number, length: number): Buffer => noise.subarray(offset, offset + length);
  for (const type of ['ntfs', 'ext4', 'xfs', 'btrfs', 'vfat'])
    expect(readVolumeState(read, noise.length, type).unsound).toContain(`its ${type} is not understood`);
  expect(readVolumeState(read, noise.length, undefined).unsound).toBeUndefined();
});

test('mounts: the options of the file system, not those of the mount; names with spaces', () => {
  const text =
    '22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw\n' +
    '36 22 8:1 / /mnt/with\\040space ro,relatime - ext4 /dev/sda1 rw,errors=remount-ro\n' +
    '37 22 8:2 / /mnt/b rw - ext4 /dev/sda2 ro\n';
  expect(parseMountInfo(text)).toEqual([
    { number: '259:2', device: '/dev/nvme0n1p2', mountPoint: '/', readOnly: false },
    { number: '8:1', device: '/dev/sda1', mountPoint: '/mnt/with space', readOnly: false },
    { number: '8:2', device: '/dev/sda2', mountPoint: '/mnt/b', readOnly: true },
  ]);
});
