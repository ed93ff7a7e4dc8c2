import { describe, expect, test } from 'vitest';
import { planChunkGrid } from '#images/format/chunk-grid.ts';
import { chunkAt, newDiskIndex } from '#images/format/disk-index.ts';
import type { ImageDisk, Volume } from '#images/format/image-manifest.ts';
import type { Partition } from '#images/format/partition-table/partition-table.ts';
import { planRestore } from '#runtime/restore/plan-restore.ts';
import type { TargetDisk } from '#runtime/restore/restore-plan.ts';
import { parseScope, type RestoreScope } from '#runtime/restore/restore-scope.ts';

const MiB = 1 << 20;
const guid = (digit: number) => `${String(digit).repeat(8)}-1111-4111-8111-111111111111`;
const volume = (
  number: number,
  startMiB: number,
  sizeMiB: number,
  name: string,
  role: Volume['role'] = 'system',
): Volume => ({
  number,
  startByte: startMiB * MiB,
  sizeBytes: sizeMiB * MiB,
  partitionType: guid(0),
  partitionGuid: guid(number),
  name,
  label: `${name} label`,
  fileSystem: 'ntfs',
  usedBytes: 0,
  capturedAs: 'used-blocks',
  role,
});
const volumes = [volume(1, 1, 2, 'EFI'), volume(2, 3, 10, 'SYSTEM'), volume(4, 20, 6, 'PROJECTS', 'data')];
const index = newDiskIndex(planChunkGrid(32 * MiB, volumes), MiB);
const disk = (number = 0): ImageDisk => ({
  number,
  slot: `0000:00:1f.2/ata${number + 1}`,
  model: 'TEST',
  sizeBytes: 32 * MiB,
  logicalSectorBytes: 512,
  physicalSectorBytes: 512,
  diskIndex: 'x.caibx',
  partitionTable: { kind: 'gpt', primary: '', backup: '' },
  volumes,
});
const partition = ({
  number,
  startByte,
  sizeBytes,
  partitionType,
  partitionGuid,
  name,
}: Volume): Partition => ({
  number,
  startByte,
  sizeBytes,
  partitionType,
  partitionGuid: partitionGuid ?? '',
  name,
});
const target = (partitions = volumes.map(partition)): TargetDisk => ({
  sizeBytes: 32 * MiB,
  logicalSectorBytes: 512,
  isRegisteredDisk: true,
  table: {
    kind: 'gpt',
    diskGuid: guid(9),
    partitions,
    primary: new Uint8Array(),
    backup: new Uint8Array(),
    problems: [],
  },
  interrupted: null,
  halfRestored: [],
});

describe('volumes by their names', () => {
  const chosen = (text: string, disks = [disk()]) => {
    const scope = parseScope(text, disks);
    return scope.kind === 'volumes' ? scope.volumes.map((each) => `${each.disk}:${each.number}`) : scope.kind;
  };
  test.each([
    ['all', 'all'],
    ['ALL', 'all'],
    ['2', ['0:2']],
    ['0:4', ['0:4']],
    ['projects', ['0:4']],
    ['PROJECTS label, 2 ,EFI', ['0:4', '0:2', '0:1']],
    ['2,SYSTEM,0:2', ['0:2']],
  ])('%s', (text, expected) => expect(chosen(text)).toEqual(expected));

  test.each([
    ['', 'no volume is named'],
    ['3', 'the image has no volume "3"'],
    ['D:', 'the image has no volume "D:"'],
    ['1:2', 'the image has no volume "1:2"'],
  ])('"%s" is refused, and the volumes that there are are named', (text, why) => {
    expect(() => chosen(text)).toThrow(why);
    expect(() => chosen(text)).toThrow(
      expect.objectContaining({ code: 'usage', next: expect.stringContaining('0:4 "PROJECTS" (ntfs)') }),
    );
  });
  test('with two disks a number alone says too little, and one name may fit twice', () => {
    const disks = [disk(0), disk(1)];
    expect(() => chosen('2', disks)).toThrow('no volume "2"');
    expect(() => chosen('SYSTEM', disks)).toThrow('2 volumes are called "SYSTEM"');
    expect(chosen('1:2', disks)).toEqual(['1:2']);
  });
});

describe('a plan for chosen volumes', () => {
  const only = (...numbers: number[]): RestoreScope => ({
    kind: 'volumes',
    volumes: numbers.map((number) => ({ disk: 0, number })),
  });

  test('has their chunks and no others; the first of each is held back', () => {
    const plan = planRestore(disk(), index, target(), only(2, 4));
    if (plan.kind !== 'restore') throw new Error(plan.sentence);
    const heads = plan.heldBack.heads.flatMap(({ chunks }) => chunks);
    const written = [...heads, ...plan.chunks].map((number) => chunkAt(index, number).startByte / MiB);
    expect(written.sort((a, b) => a - b)).toEqual([
      ...Array.from({ length: 10 }, (_, at) => 3 + at),
      ...Array.from({ length: 6 }, (_, at) => 20 + at),
    ]);
    expect(plan.heldBack.heads.map(({ startByte }) => startByte / MiB)).toEqual([3, 20]);
    expect(plan).toMatchObject({ totalBytes: 16 * MiB, relocated: null, heldBack: { tail: [] } });
    expect(plan.kept.map(({ what }) => what)).toEqual(['partition 1 "EFI" (ntfs)']);
    expect(plan.overwrittenData.map(({ what }) => what)).toEqual(['partition 4 "PROJECTS" (ntfs)']);
  });

  const changed = (change: Partial<Partition>) =>
    target(volumes.map((each) => ({ ...partition(each), ...(each.number === 4 ? change : {}) })));
  test.each<[string, TargetDisk]>([
    [`Partition 4 starts at byte ${21 * MiB}, in the image ${20 * MiB}.`, changed({ startByte: 21 * MiB })],
    [`Partition 4 has the size ${5 * MiB}, in the image ${6 * MiB}.`, changed({ sizeBytes: 5 * MiB })],
    [`Partition 4 has the GUID ${guid(7)}, in the image ${guid(4)}.`, changed({ partitionGuid: guid(7) })],
    ['Partition 4 is not on the disk.', target(volumes.slice(0, 2).map(partition))],
    [
      'The image has a GPT, the disk has no partition table.',
      {
        ...target(),
        table: { kind: 'none', partitions: [], problems: [], primary: new Uint8Array(), reason: 'blank' },
      },
    ],
    ['did not come to its end', { ...target(), interrupted: { kept: [] } }],
  ])('is refused in words: %s', (sentence, found) => {
    expect(planRestore(disk(), index, found, only(4))).toMatchObject({
      kind: 'refused',
      reason: 'table-differs',
      sentence: expect.stringContaining(sentence),
    });
  });
  test('does not care about partitions that are not chosen', () => {
    expect(planRestore(disk(), index, changed({ sizeBytes: 1 }), only(2)).kind).toBe('restore');
  });
  test('is refused for an index whose chunks reach over the edge of the volume', () => {
    const foreign = newDiskIndex(planChunkGrid(32 * MiB, [{ startByte: 512, sizeBytes: 31 * MiB }]), MiB);
    expect(planRestore(disk(), foreign, target(), only(4))).toMatchObject({ reason: 'unusable-image' });
  });
  test('with an MBR: by type and disk signature instead of GUIDs', () => {
    const primary = Buffer.alloc(512);
    primary.writeUInt32LE(0xabcd, 440);
    const mbrVolumes = volumes.map(({ partitionGuid: _guid, ...rest }) => ({ ...rest, partitionType: '07' }));
    const image: ImageDisk = {
      ...disk(),
      partitionTable: { kind: 'mbr', primary: primary.toString('base64'), backup: '' },
      volumes: mbrVolumes,
    };
    const mbr = (diskSignature: number, partitionType: string): TargetDisk => ({
      ...target(),
      isRegisteredDisk: false,
      table: {
        kind: 'mbr',
        problems: [],
        diskSignature,
        primary: new Uint8Array(),
        partitions: mbrVolumes.map(({ number, startByte, sizeBytes }) => ({
          number,
          startByte,
          sizeBytes,
          partitionType,
          name: '',
        })),
      },
    });
    expect(planRestore(image, index, mbr(0xabcd, '07'), only(4)).kind).toBe('restore');
    expect(planRestore(image, index, mbr(0xabcd, '83'), only(4))).toMatchObject({
      sentence: 'Partition 4 has the type 83, in the image 07.',
    });
    expect(planRestore(image, index, mbr(0xabce, '07'), only(4))).toMatchObject({
      sentence: "The disk signature in the MBR is not the image's.",
    });
  });
});

describe('data volumes', () => {
  const blank: TargetDisk['table'] = {
    kind: 'none',
    partitions: [],
    problems: [],
    primary: new Uint8Array(),
    reason: '',
  };
  test('all: overwritten where they live, which is said; not said on a new disk', () => {
    const gptDisk = { ...disk(), partitionTable: { kind: 'none' as const, primary: '', backup: '' } };
    const all = planRestore(gptDisk, index, target(), { kind: 'all' });
    expect(all).toMatchObject({ kept: [], overwrittenData: [{ what: 'partition 4 "PROJECTS" (ntfs)' }] });
    const fresh = { ...target(), isRegisteredDisk: false, table: blank };
    expect(planRestore(gptDisk, index, fresh, { kind: 'all' })).toMatchObject({ overwrittenData: [] });
  });
  test('half restored: nothing is left that could survive, so it is restored again', () => {
    const gptDisk = { ...disk(), partitionTable: { kind: 'none' as const, primary: '', backup: '' } };
    const plan = planRestore(gptDisk, index, { ...target(), halfRestored: [4] });
    expect(plan).toMatchObject({
      kind: 'restore',
      kept: [],
      warnings: [expect.stringContaining('PROJECTS')],
    });
  });
  test('an interrupted restore that kept one of two keeps that one only', () => {
    const two = [...volumes, volume(5, 27, 2, 'ARCHIVE', 'data')];
    const gptDisk: ImageDisk = {
      ...disk(),
      partitionTable: { kind: 'none', primary: '', backup: '' },
      volumes: two,
    };
    const interrupted = { kept: [{ startByte: 27 * MiB, sizeBytes: 2 * MiB }] };
    const twoIndex = newDiskIndex(planChunkGrid(32 * MiB, two), MiB);
    const plan = planRestore(gptDisk, twoIndex, { ...target(), table: blank, interrupted });
    expect(plan).toMatchObject({ kept: [{ what: 'partition 5 "ARCHIVE" (ntfs)' }] });
  });
});
