import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { DiskBytes } from '#images/format/partition-table/disk-bytes.ts';
import { parsePartitionTable } from '#images/format/partition-table/partition-table.ts';
import { relocateBackupGpt } from '#images/format/partition-table/relocate-backup-gpt.ts';

const memory = (bytes: Buffer, sectorBytes = 512): DiskBytes => ({
  sizeBytes: bytes.length,
  sectorBytes,
  read: (offset, length) => {
    if (offset + length > bytes.length) throw new RangeError('behind the end');
    return bytes.subarray(offset, offset + length);
  },
});

const none = new Uint8Array();

/** LBA 0 to 2 as sgdisk wrote them onto 2 MiB; the rest of the primary entries is zero. */
function gptBySgdisk(): Buffer {
  const disk = Buffer.alloc(2 << 20);
  disk.write('0200ee41010001000000ff0f0000', 0x1c0, 'hex');
  disk.write('55aa', 510, 'hex');
  disk.write(
    '4546492050415254000001005c000000f4a1d106000000000100000000000000ff0f0000000000002200000000000000' +
      'de0f0000000000001111111122223343844455555555555502000000000000008000000080000000' +
      '56a93926',
    512,
    'hex',
  );
  disk.write(
    'af3dc60f838472478e793d69d8477de4aaaaaaaabbbbcc4c8dddeeeeeeeeeeee28000000000000004f00000000000000' +
      '000000000000000072006f006f007400',
    1024,
    'hex',
  );
  return disk;
}

describe('GPT', () => {
  test('primary as sgdisk wrote it: GUIDs, extents, names', () => {
    const table = parsePartitionTable(memory(gptBySgdisk()));
    expect(table).toMatchObject({
      kind: 'gpt',
      diskGuid: '11111111-2222-4333-8444-555555555555',
      partitions: [
        {
          number: 1,
          startByte: 40 * 512,
          sizeBytes: 40 * 512,
          partitionType: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
          partitionGuid: 'AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE',
          name: 'root',
        },
      ],
      problems: ['no GPT signature at LBA 4095'],
    });
    expect(table.primary).toHaveLength(34 * 512);
  });

  test.each([
    [512 + 40, 'the CRC of the header at LBA 1 is wrong'],
    [1024 + 33, 'the CRC of the entries at LBA 2 is wrong'],
    [512, 'no GPT signature at LBA 1'],
  ])('a flipped bit at byte %d makes the copy invalid: %s', (at, reason) => {
    const disk = gptBySgdisk();
    disk.writeUInt8(disk.readUInt8(at) ^ 1, at);
    expect(parsePartitionTable(memory(disk))).toMatchObject({
      kind: 'none',
      reason: expect.stringContaining(reason),
    });
  });

  test('is no GPT without a protective MBR', () => {
    const disk = gptBySgdisk();
    disk.writeUInt8(0x83, 446 + 4);
    expect(parsePartitionTable(memory(disk)).kind).toBe('mbr');
  });
});

describe.each([512, 4096])('moved backup GPT, sectors of %d bytes', (sectorBytes) => {
  test.each([1 << 20, 4 << 20, (3 << 20) + sectorBytes])(
    'onto a disk of %d bytes: valid, entries unchanged',
    (sizeBytes) => {
      const primary = Buffer.alloc(sectorBytes * 2 + 128 * 128);
      const from = gptBySgdisk();
      from.copy(primary, 0, 0, 512);
      from.copy(primary, sectorBytes, 512, 1024);
      from.copy(primary, sectorBytes * 2, 1024, 1024 + 128 * 128);
      const moved = relocateBackupGpt({ primary, backup: none }, sectorBytes, sizeBytes);
      const disk = Buffer.alloc(sizeBytes);
      disk.set(moved.primary, 0);
      disk.set(moved.backup, moved.backupStartByte);
      expect(moved.backupStartByte + moved.backup.length).toBe(sizeBytes);
      const table = parsePartitionTable(memory(disk, sectorBytes));
      expect(table).toMatchObject({
        kind: 'gpt',
        problems: [],
        diskGuid: '11111111-2222-4333-8444-555555555555',
      });
      expect(
        disk
          .subarray(sectorBytes * 2, sectorBytes * 2 + 128 * 128)
          .equals(from.subarray(1024, 1024 + 128 * 128)),
      ).toBe(true);
      // Without the primary, the backup alone gives the same table.
      disk.fill(0, sectorBytes, sectorBytes * 2);
      expect(parsePartitionTable(memory(disk, sectorBytes)).partitions).toEqual(table.partitions);
    },
  );
});

test('sgdisk finds no problem with a moved backup GPT', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rekindle-gpt-'));
  try {
    const moved = relocateBackupGpt(
      { primary: gptBySgdisk().subarray(0, 34 * 512), backup: none },
      512,
      3 << 20,
    );
    const disk = Buffer.alloc(3 << 20);
    disk.set(moved.primary, 0);
    disk.set(moved.backup, moved.backupStartByte);
    fs.writeFileSync(path.join(folder, 'disk.img'), disk);
    const verdict = execFileSync('sgdisk', ['--verify', path.join(folder, 'disk.img')], { encoding: 'utf8' });
    expect(verdict).toContain('No problems found');
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('a primary that is damaged is made of the backup; without one the reason is told', () => {
  const moved = relocateBackupGpt(
    { primary: gptBySgdisk().subarray(0, 34 * 512), backup: none },
    512,
    3 << 20,
  );
  const damaged = Buffer.from(moved.primary);
  damaged.writeUInt8(1, 2 * 512 + 40);
  const again = relocateBackupGpt({ primary: damaged, backup: moved.backup }, 512, 3 << 20);
  expect(again).toEqual({ ...moved, madeFromBackup: true });
  // LBA 0 is gone too: a protective MBR over the whole disk.
  const bare = relocateBackupGpt({ primary: Buffer.alloc(34 * 512), backup: moved.backup }, 512, 3 << 20);
  const lba0 = Buffer.from(moved.primary.slice(440, 512));
  expect(Buffer.from(bare.primary.slice(446 + 8, 512)).equals(lba0.subarray(14))).toBe(true);
  expect(Buffer.from(bare.primary.slice(512)).equals(Buffer.from(moved.primary.slice(512)))).toBe(true);
  const torn = Buffer.from(moved.backup);
  torn.writeUInt8(1, 40);
  for (const backup of [none, torn, moved.backup.subarray(512)])
    expect(() => relocateBackupGpt({ primary: damaged, backup }, 512, 3 << 20)).toThrow(
      'the CRC of the entries at LBA 2 is wrong',
    );
});

test('a partition that would leave a smaller disk is named', () => {
  const primary = gptBySgdisk().subarray(0, 34 * 512);
  expect(() => relocateBackupGpt({ primary, backup: none }, 512, 100 * 512)).toThrow(
    'partition 1 ends at LBA 79',
  );
});

describe('MBR', () => {
  /** Sectors as sfdisk wrote them: primaries at LBA 63 and 2048, an extended one with two logical ones. */
  function mbrBySfdisk(): Buffer {
    const disk = Buffer.alloc(4 << 20);
    const sector = (lba: number, fromByte440: string): void => {
      disk.write(fromByte440, lba * 512 + 440, 'hex');
      disk.write('55aa', lba * 512 + 510, 'hex');
    };
    const first = '00010100071037003f000000e8030000';
    const second = '002021008330180000080000e8030000';
    sector(0, `785634120000${first}${second}004102000580200000100000a00f0000`);
    sector(4096, '000000000000' + '004106008349010004000000f4010000' + '004a2600055222005b020000f5010000');
    sector(4699, '000000000000' + '004a27008252220001000000f4010000');
    return disk;
  }

  test('primary and logical partitions, numbered as Linux does, CHS-aligned ones too', () => {
    const table = parsePartitionTable(memory(mbrBySfdisk()));
    expect(table).toMatchObject({ kind: 'mbr', diskSignature: 0x12345678 });
    const rows = table.partitions.map(({ number, startByte, partitionType }) => [
      number,
      startByte / 512,
      partitionType,
    ]);
    expect(rows).toEqual([
      [1, 63, '07'],
      [2, 2048, '83'],
      [5, 4100, '83'],
      [6, 4700, '82'],
    ]);
  });

  test('a boot record whose partition was deleted takes no number', () => {
    const disk = mbrBySfdisk();
    disk.fill(0, 4096 * 512 + 446, 4096 * 512 + 446 + 16);
    expect(parsePartitionTable(memory(disk)).partitions.map(({ number }) => number)).toEqual([1, 2, 5]);
  });

  test('a second extended container goes on where the first one ends', () => {
    const disk = mbrBySfdisk();
    // The chain is cut behind its first record, and its second record becomes a container of its own.
    disk.fill(0, 4096 * 512 + 446 + 16, 4096 * 512 + 446 + 32);
    const container = Buffer.alloc(16);
    container.writeUInt8(0x0f, 4);
    container.writeUInt32LE(4699, 8);
    container.writeUInt32LE(501, 12);
    disk.set(container, 446 + 48);
    expect(
      parsePartitionTable(memory(disk)).partitions.map(({ number, startByte }) => [number, startByte / 512]),
    ).toEqual([
      [1, 63],
      [2, 2048],
      [5, 4100],
      [6, 4700],
    ]);
  });

  test('a chain of extended records that bites its tail is refused, not followed', () => {
    const disk = mbrBySfdisk();
    disk.writeUInt32LE(0, 4096 * 512 + 446 + 16 + 8);
    expect(parsePartitionTable(memory(disk))).toMatchObject({
      kind: 'none',
      reason: expect.stringContaining('comes back'),
    });
  });
});

test('ten thousand flipped bits in the table areas never crash the parser', () => {
  let state = 20261120;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const disk = gptBySgdisk();
  for (let round = 0; round < 2_000; round++) {
    for (let flip = 0; flip < 5; flip++) {
      const at = random(1152);
      disk.writeUInt8(disk.readUInt8(at) ^ (1 << (at & 7)), at);
    }
    if (round % 2 === 0) {
      // With a right CRC the damaged numbers are believed and have to be caught one by one.
      disk.writeUInt32LE(0, 512 + 16);
      disk.writeUInt32LE(crc32(disk.subarray(512, 512 + 92)), 512 + 16);
    }
    expect(['gpt', 'mbr', 'none']).toContain(parsePartitionTable(memory(disk)).kind);
    if (round % 5 === 4) disk.set(gptBySgdisk().subarray(0, 1152), 0);
  }
});
