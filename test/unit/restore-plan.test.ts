import { describe, expect, test } from 'vitest';
import { planChunkGrid } from '#images/format/chunk-grid.ts';
import { chunkIdOf, zeroChunkId } from '#images/format/chunk-id.ts';
import { chunkAt, type DiskIndex, newDiskIndex } from '#images/format/disk-index.ts';
import type { ImageDisk, Volume } from '#images/format/image-manifest.ts';
import type { Partition } from '#images/format/partition-table/partition-table.ts';
import { formatInterruptedRestore, parseInterruptedRestore } from '#runtime/restore/interrupted-restore.ts';
import { planRestore } from '#runtime/restore/plan-restore.ts';
import type { RestorePlan, TargetDisk } from '#runtime/restore/restore-plan.ts';

const MiB = 1 << 20;

const volume = (number: number, startMiB: number, sizeMiB: number, role: Volume['role']): Volume => ({
  number,
  startByte: startMiB * MiB,
  sizeBytes: sizeMiB * MiB,
  partitionType: '83',
  name: '',
  usedBytes: sizeMiB * MiB,
  capturedAs: 'all-blocks',
  role,
});

/** An MBR disk: no GPT to move, so sizes are those of volumes and chunks alone. */
function mbrImage(volumes: Volume[], lastUsedMiB: number): { disk: ImageDisk; index: DiskIndex } {
  const index = newDiskIndex(planChunkGrid(32 * MiB, volumes), MiB);
  for (let number = 0; number < index.ends.length; number++) {
    const { startByte, sizeBytes } = chunkAt(index, number);
    const used = startByte < lastUsedMiB * MiB;
    const id = used ? chunkIdOf(Buffer.from(`chunk ${number}`)) : zeroChunkId(sizeBytes);
    index.ids.set(Buffer.from(id, 'hex'), number * 32);
  }
  const primary = Buffer.alloc(512);
  primary.writeUInt32LE(0x12345678, 440);
  const disk: ImageDisk = {
    number: 0,
    slot: '0000:00:03.0',
    model: 'TEST DISK',
    sizeBytes: 32 * MiB,
    logicalSectorBytes: 512,
    physicalSectorBytes: 512,
    diskIndex: 'x.caibx',
    partitionTable: { kind: 'mbr', primary: primary.toString('base64'), backup: '' },
    volumes,
  };
  return { disk, index };
}

const blank = (sizeBytes: number): TargetDisk => ({
  sizeBytes,
  logicalSectorBytes: 512,
  isRegisteredDisk: false,
  table: { kind: 'none', partitions: [], primary: new Uint8Array(), reason: 'blank', problems: [] },
  interrupted: null,
  halfRestored: [],
});
const partitionOf = ({ number, startByte, sizeBytes, partitionType, name }: Volume): Partition => ({
  number,
  startByte,
  sizeBytes,
  partitionType,
  name,
});
const withTable = (image: ImageDisk, diskSignature: number): TargetDisk => ({
  ...blank(image.sizeBytes),
  table: {
    kind: 'mbr',
    problems: [],
    diskSignature,
    primary: new Uint8Array(512),
    partitions: image.volumes.map(partitionOf),
  },
});

const headsOf = (plan: RestorePlan) => plan.heldBack.heads.flatMap(({ chunks }) => chunks);

describe('restore plan', () => {
  const volumes = [volume(1, 1, 8, 'system'), volume(2, 12, 6, 'data')];

  test('a smaller disk fits when the last partition and the last chunk that is not zero do', () => {
    const { disk, index } = mbrImage(volumes, 20);
    expect(planRestore(disk, index, blank(20 * MiB))).toMatchObject({
      kind: 'restore',
      totalBytes: 20 * MiB,
    });
    expect(planRestore(disk, index, blank(20 * MiB - 512))).toMatchObject({
      reason: 'too-small',
      shortfallBytes: 512,
    });
    const empty = mbrImage(volumes, 0);
    expect(planRestore(empty.disk, empty.index, blank(18 * MiB)).kind).toBe('restore');
    expect(planRestore(empty.disk, empty.index, blank(17 * MiB))).toMatchObject({ shortfallBytes: MiB });
  });

  test('chunks of a kept volume are in no list of the plan', () => {
    const { disk, index } = mbrImage(volumes, 32);
    const plan = planRestore(disk, index, withTable(disk, 0x12345678));
    if (plan.kind !== 'restore') throw new Error(plan.sentence);
    expect(plan.survivedBy).toBe('data-partition');
    const written = [...headsOf(plan), ...plan.chunks, ...plan.heldBack.tail].map((number) =>
      chunkAt(index, number),
    );
    expect(written.filter(({ startByte }) => startByte >= 12 * MiB && startByte < 18 * MiB)).toEqual([]);
    expect(written).toHaveLength(32 - 6);
    expect(plan.restored.map(({ what }) => what)).toEqual([
      'partition table and boot code',
      'partition 1',
      'space between partitions',
      'space behind the last partition',
    ]);
  });

  test('an MBR of the same layout on another disk proves nothing: the data volume is restored', () => {
    const { disk, index } = mbrImage(volumes, 32);
    expect(planRestore(disk, index, withTable(disk, 0x87654321))).toMatchObject({
      survivedBy: null,
      kept: [],
    });
  });

  test('the registered disk with another layout is refused', () => {
    const { disk, index } = mbrImage(volumes, 32);
    const other = {
      ...withTable({ ...disk, volumes: [volume(1, 1, 20, 'system')] }, 1),
      isRegisteredDisk: true,
    };
    expect(planRestore(disk, index, other)).toMatchObject({ kind: 'refused', reason: 'ambiguous-layout' });
  });

  test('the note of an interrupted restore decides before serial number and table', () => {
    const { disk, index } = mbrImage(volumes, 32);
    const kept = [{ startByte: 12 * MiB, sizeBytes: 6 * MiB }];
    expect(planRestore(disk, index, { ...blank(32 * MiB), interrupted: { kept } })).toMatchObject({
      survivedBy: 'interrupted-restore',
    });
    const wasNew = { ...blank(32 * MiB), isRegisteredDisk: true, interrupted: { kept: [] } };
    expect(planRestore(disk, index, wasNew)).toMatchObject({ survivedBy: null, kept: [] });
    const elsewhere = { ...blank(32 * MiB), interrupted: { kept: [{ startByte: MiB, sizeBytes: MiB }] } };
    expect(planRestore(disk, index, elsewhere)).toMatchObject({ reason: 'ambiguous-layout' });
    const noData = mbrImage([volume(1, 1, 8, 'system')], 32);
    expect(planRestore(noData.disk, noData.index, elsewhere)).toMatchObject({ reason: 'ambiguous-layout' });
  });

  test('a note that keeps nothing is stale beside a table with the data volume in place', () => {
    const { disk, index } = mbrImage(volumes, 32);
    const stale = { ...withTable(disk, 0x12345678), interrupted: { kept: [] } };
    expect(planRestore(disk, index, stale)).toMatchObject({ kept: [{ startByte: 12 * MiB }] });
  });

  test('data volumes are not kept on a disk that has no room for the note', () => {
    const near = [{ ...volume(1, 0, 8, 'system'), startByte: 4096 }, volume(2, 12, 6, 'data')];
    const { disk, index } = mbrImage(near, 32);
    expect(planRestore(disk, index, withTable(disk, 0x12345678))).toMatchObject({
      kind: 'refused',
      reason: 'unusable-image',
    });
    expect(planRestore(disk, index, blank(32 * MiB))).toMatchObject({ kind: 'restore', kept: [] });
  });

  test('a foreign index whose chunks lie across a kept volume is refused, not rounded', () => {
    const { disk } = mbrImage(volumes, 32);
    const index = newDiskIndex(planChunkGrid(32 * MiB, [{ startByte: 512, sizeBytes: 31 * MiB }]), MiB);
    expect(planRestore(disk, index, withTable(disk, 0x12345678))).toMatchObject({ reason: 'unusable-image' });
  });
});

describe('note of an interrupted restore', () => {
  const note = { kept: [{ startByte: 1048576, sizeBytes: 4096 }] };

  test('is read back; a flipped bit makes it no note', () => {
    const bytes = formatInterruptedRestore(note);
    expect(parseInterruptedRestore(bytes)).toEqual(note);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(at) ^ 0x10, at);
      expect(parseInterruptedRestore(flipped)).toBeNull();
    }
  });

  test('holds as many ranges as a disk has volumes, and says when it does not', () => {
    const kept = Array.from({ length: 70 }, (_, number) => ({ startByte: number * MiB, sizeBytes: MiB }));
    expect(parseInterruptedRestore(formatInterruptedRestore({ kept }))?.kept).toHaveLength(70);
    expect(() => formatInterruptedRestore({ kept: [...kept, ...kept] })).toThrow('does not fit');
  });
});
