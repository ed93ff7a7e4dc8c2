import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { formatDiskIndex } from '#images/format/disk-index.ts';
import { announcedStore } from '#test/support/announced-store.ts';
import { captureImageOf, somePassportDisk } from '#test/support/capture-image-of.ts';
import { expectPutBack, expectPutBackOnLarger, tableBySfdisk } from '#test/support/put-back-on-loops.ts';
import { makeNoisyDisk, partitionsBySfdisk, realDisks } from '#test/support/real-partition-tables.ts';
import {
  MiB,
  makeBlankDisk,
  makeTemporaryFolder,
  noise,
  run,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

let folder: ReturnType<typeof makeTemporaryFolder>;
const inFolder = (name: string): string => path.join(folder.path, name);
beforeAll(() => {
  folder = makeTemporaryFolder();
  fs.mkdirSync(inFolder('store'));
});
afterAll(() => folder[Symbol.dispose]());

const store = () => announcedStore(inFolder('store'));

/** A loop device, which knows its sector size, over a disk file. */
function attach(file: string, sectorBytes: number): string {
  const device = run('losetup', '--show', '--find', '--sector-size', String(sectorBytes), file).trim();
  onTestFinished(() => void run('losetup', '--detach', device));
  return device;
}

let files = 0;

describe.each(realDisks)('$name', (real) => {
  const make = () => {
    const file = makeNoisyDisk(inFolder(`disk-${files++}.img`), real);
    const device = attach(file, real.sectorBytes);
    real.partition(real.sectorBytes === 512 ? file : device);
    const said = real.kind === 'none' ? [] : partitionsBySfdisk(device, real.sectorBytes);
    const table = real.kind === 'none' ? undefined : tableBySfdisk(device);
    real.damage?.(file);
    return { file, device, said, table };
  };

  const ways = real.name.startsWith('GPT with') ? (['device', 'file'] as const) : (['device'] as const);
  test.each(ways)('as a %s: table, volumes and every byte', async (as) => {
    const made = make();
    const captured = await captureDisk({
      path: made[as],
      store: await store(),
      sectorBytes: real.sectorBytes,
    });
    expect(captured.logicalSectorBytes).toBe(real.sectorBytes);
    expect(captured.partitionTable.kind).toBe(real.kind);
    expect(captured.volumes.map(({ partitionType }) => partitionType)).toEqual(real.types);
    expect(captured.warnings).toEqual((real.warnings ?? []).map((pattern) => expect.stringMatching(pattern)));
    expect(
      captured.volumes.map(({ number, startByte, sizeBytes }) => ({ number, startByte, sizeBytes })),
    ).toEqual(made.said);
    const { primary, backup } = captured.partitionTable;
    const bytes = fs.readFileSync(made.file);
    for (const [table, at] of [
      [Buffer.from(primary, 'base64'), 0],
      [Buffer.from(backup, 'base64'), bytes.length - Buffer.from(backup, 'base64').length],
    ] as const)
      expect(bytes.subarray(at, at + table.length).equals(table)).toBe(true);
    // A chunk never reaches over the start or end of a volume.
    const ends = new Set(captured.index.ends);
    for (const { startByte, sizeBytes } of captured.volumes) {
      expect(ends.has(startByte)).toBe(true);
      expect(ends.has(startByte + sizeBytes)).toBe(true);
    }
    const index = `${made.file}.caibx`;
    fs.writeFileSync(index, formatDiskIndex(captured.index));
    run('casync', 'extract', `--store=${inFolder('store/chunks.castr')}`, index, `${made.file}.back`);
    expect(fs.readFileSync(`${made.file}.back`).equals(bytes)).toBe(true);
    if (as === 'file') return;
    const what = { captured, store: inFolder('store'), file: made.file };
    await expectPutBack(what);
    await expectPutBackOnLarger(what, made.table);
  });
});

test('several disks a station, of different sector sizes, are one image', async () => {
  const [gpt, fourK, mbr] = ['GPT, slots', 'GPT with 4096', 'MBR with logical'].map((name) => {
    const real = realDisks.find((each) => each.name.startsWith(name));
    if (real === undefined) throw new Error(name);
    const file = makeNoisyDisk(inFolder(`station-${files++}.img`), real);
    const device = attach(file, real.sectorBytes);
    real.partition(real.sectorBytes === 512 ? file : device);
    return {
      path: device,
      passportDisk: somePassportDisk(real.sizeBytes, { serial: name, logicalSectorBytes: real.sectorBytes }),
    };
  });
  if (gpt === undefined || fourK === undefined || mbr === undefined) throw new Error('no disks');
  const { manifest } = await captureImageOf(inFolder('store'), [gpt, fourK, mbr]);
  expect(
    manifest.disks.map(({ logicalSectorBytes, partitionTable, volumes }) => [
      logicalSectorBytes,
      partitionTable.kind,
      volumes.length,
    ]),
  ).toEqual([
    [512, 'gpt', 3],
    [4096, 'gpt', 2],
    [512, 'mbr', 4],
  ]);
});

describe('tables that no image can be made of', () => {
  const mbrWith = (name: string, ...entries: [start: number, sectors: number][]): string => {
    const disk = makeBlankDisk(inFolder(name), 8 * MiB);
    writeAt(disk, noise(name, MiB), 2 * MiB);
    const sector = Buffer.alloc(512);
    sector.writeUInt16LE(0xaa55, 510);
    for (const [slot, [start, sectors]] of entries.entries()) {
      sector.writeUInt8(0x83, 446 + slot * 16 + 4);
      sector.writeUInt32LE(start, 446 + slot * 16 + 8);
      sector.writeUInt32LE(sectors, 446 + slot * 16 + 12);
    }
    writeAt(disk, sector, 0);
    return disk;
  };
  test.each([
    [
      'overlapping',
      mbrWith,
      [
        [2048, 4096],
        [4096, 4096],
      ],
      'overlaps the one before it',
    ],
    ['leaving', mbrWith, [[2048, 20_000]], 'leaves the disk'],
    ['distant', mbrWith, [[40_000, 2048]], 'leaves the disk'],
  ] as const)('%s partitions', async (name, make, entries, why) => {
    const disk = make(
      `${name}.img`,
      ...entries.map(([start, sectors]): [number, number] => [start, sectors]),
    );
    await expect(captureDisk({ path: disk, store: await store() })).rejects.toMatchObject({
      code: 'target-unfit',
      message: expect.stringContaining(why),
    });
  });
});
