import { describe, expect, it } from 'vitest';
import { formatCompositeTable } from '#images/snapshot/composite-table.ts';
import { parsePhysicalVolumes, parseSegments } from '#images/snapshot/lvm-report.ts';
import type { OnlineFacts, Segment } from '#images/snapshot/online-facts.ts';
import { planSnapshot, type SnapshotPlan } from '#images/snapshot/plan-snapshot.ts';
import { parseCowSize } from '#scripts/cow-size.ts';

const MiB = 1 << 20;

const segment = (
  volume: string,
  startMiB: number,
  first: number,
  count: number,
  more: Partial<Segment> = {},
): Segment => ({
  group: 'vg',
  volume,
  device: `/dev/vg/${volume}`,
  volumeBytes: 40 * MiB,
  type: 'linear',
  open: true,
  startByte: startMiB * MiB,
  extents: [{ device: '/dev/sda2', first, count }],
  ...more,
});

/** 100 MiB: boot partition of 8 MiB, then a physical volume of 90 extents of 1 MiB; root in two pieces, swap, rest free. */
const facts: OnlineFacts = {
  disk: { path: '/dev/sda', sizeBytes: 100 * MiB },
  places: [
    { device: '/dev/sda1', startByte: MiB, sizeBytes: 7 * MiB },
    { device: '/dev/sda2', startByte: 8 * MiB, sizeBytes: 91 * MiB },
  ],
  mounts: [
    { device: '/dev/vg/root', mountPoint: '/', readOnly: false },
    { device: '/dev/vg/var', mountPoint: '/var', readOnly: false },
    { device: '/dev/vg/var', mountPoint: '/srv/www', readOnly: false },
    { device: '/dev/sda1', mountPoint: '/boot', readOnly: false },
  ],
  swaps: ['/dev/vg/swap'],
  physicalVolumes: [
    {
      device: '/dev/sda2',
      group: 'vg',
      extentBytes: MiB,
      firstExtentByte: MiB,
      metadataAreas: 1,
      groupFreeBytes: 20 * MiB,
    },
  ],
  segments: [
    segment('root', 0, 0, 30),
    segment('swap', 0, 30, 5),
    segment('var', 0, 35, 10),
    segment('root', 30, 50, 10),
  ],
};

function planned(changes: Partial<OnlineFacts> = {}, percent = 10) {
  const plan = planSnapshot({ ...facts, ...changes }, { percent });
  if (plan.kind !== 'snapshot') throw new Error(plan.sentence);
  return plan;
}
const refusal = (changes: Partial<OnlineFacts>): string => {
  const plan: SnapshotPlan = planSnapshot({ ...facts, ...changes }, { percent: 10 });
  return plan.kind === 'refused' ? plan.sentence : 'not refused';
};

describe('what is snapshotted', () => {
  it('is every logical volume in use, the root last, without swap; the rest becomes read-only', () => {
    const { snapshots, freeze, makeReadOnly } = planned();
    expect(snapshots.map(({ volume, sizeBytes, frozen }) => [volume, sizeBytes / MiB, frozen])).toEqual([
      ['var', 4, true],
      ['root', 4, false],
    ]);
    // Once for a file system, however often it is mounted; never the root.
    expect(freeze).toEqual(['/var']);
    expect(makeReadOnly).toEqual(['/boot']);
  });

  it('covers the whole disk once, in order', () => {
    const { regions } = planned();
    let at = 0;
    for (const { startByte, sizeBytes } of regions) {
      expect(startByte).toBe(at);
      at += sizeBytes;
    }
    expect(at).toBe(100 * MiB);
    const parts = {
      disk: '/dev/loop0',
      saved: '/dev/loop1',
      snapshot: (name: string) => `/dev/mapper/${name}`,
    };
    const sectors = MiB / 512;
    expect(formatCompositeTable(regions, parts).split('\n')).toEqual([
      `0 ${8 * sectors} linear /dev/loop0 0`,
      `${8 * sectors} ${sectors} linear /dev/loop1 ${8 * sectors}`,
      `${9 * sectors} ${30 * sectors} linear /dev/mapper/rekindle_online_root 0`,
      `${39 * sectors} ${5 * sectors} linear /dev/loop0 ${39 * sectors}`,
      `${44 * sectors} ${10 * sectors} linear /dev/mapper/rekindle_online_var 0`,
      `${54 * sectors} ${5 * sectors} zero`,
      `${59 * sectors} ${10 * sectors} linear /dev/mapper/rekindle_online_root ${30 * sectors}`,
      `${69 * sectors} ${30 * sectors} zero`,
      `${99 * sectors} ${sectors} linear /dev/loop0 ${99 * sectors}`,
    ]);
  });
});

describe('what is refused', () => {
  it('a root on a plain partition, with what can be done instead', () => {
    const plan = planSnapshot(
      {
        ...facts,
        mounts: [{ device: '/dev/sda1', mountPoint: '/', readOnly: false }],
        physicalVolumes: [],
        segments: [],
      },
      { percent: 10 },
    );
    expect(plan).toMatchObject({ kind: 'refused', next: expect.stringContaining('from the network') });
    expect(plan.kind === 'refused' && plan.sentence).toContain('/dev/sda1');
  });

  it.each([
    [{ segments: [segment('root', 0, 0, 30, { type: 'thin' })] }, '/dev/vg/root is thin'],
    [
      { mounts: [{ device: '/dev/md0', mountPoint: '/data', readOnly: false }] },
      '/dev/md0, mounted at /data',
    ],
    [{ mounts: [], swaps: [], segments: [] }, 'nothing on this disk is in use'],
    [
      { physicalVolumes: facts.physicalVolumes.map((each) => ({ ...each, metadataAreas: 2 })) },
      'second copy',
    ],
    [
      { physicalVolumes: facts.physicalVolumes.map((each) => ({ ...each, groupFreeBytes: 7 * MiB })) },
      'volume group vg has 7 MiB free',
    ],
  ])('%j', (changes, words) => expect(refusal(changes)).toContain(words));
});

it('reads what LVM says', () => {
  // lvm2 2.03.16, shortened.
  const pv =
    '{"report":[{"pv":[{"pv_name":"/dev/sda2","vg_name":"vg","vg_extent_size":"1048576","pe_start":"1048576","pv_mda_count":"1","vg_free":"20971520"},{"pv_name":"/dev/sdb","vg_name":"","vg_extent_size":"0","pe_start":"0","pv_mda_count":"1","vg_free":"0"}]}]}';
  expect(parsePhysicalVolumes(pv)).toEqual(facts.physicalVolumes);
  const seg =
    '{"report":[{"seg":[{"vg_name":"vg","lv_name":"root","lv_size":"41943040","segtype":"linear","seg_start":"0","seg_pe_ranges":"/dev/sda2:0-29","lv_device_open":"open","lv_role":"public"},{"vg_name":"vg","lv_name":"[pool_tdata]","lv_size":"41943040","segtype":"thin-pool","seg_start":"0","seg_pe_ranges":"pool_x:0-3","lv_device_open":"","lv_role":"private"}]}]}';
  expect(parseSegments(seg)).toEqual([
    segment('root', 0, 0, 30),
    segment('pool_tdata', 0, 0, 0, { type: 'thin-pool', open: false, extents: [] }),
  ]);
  expect(() => parsePhysicalVolumes('no json')).toThrow('Reading what LVM says');
});

describe('--cow-size', () => {
  it.each([
    ['10%', { percent: 10 }],
    ['100%', { percent: 100 }],
    ['2G', { bytes: 2 * 1024 ** 3 }],
    ['512', { bytes: 512 }],
  ])('%s', (text, size) => expect(parseCowSize(text)).toEqual(size));
  it.each(['0%', '101%', '0', '', 'x', '-1G', '1.5G', '10 %'])('"%s" is none', (text) =>
    expect(() => parseCowSize(text)).toThrow('Write a size'),
  );
});
