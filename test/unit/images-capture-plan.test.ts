import { describe, expect, test } from 'vitest';
import { parseDomainLog } from '#images/capture/domain-log.ts';
import { parseBlkid } from '#images/capture/identify-file-system.ts';
import { flattenUnused, unusedWithin } from '#images/capture/unused-ranges.ts';
import { planChunkGrid } from '#images/format/chunk-grid.ts';
import { formatUtc, parseImageName, parseImageRef, parseUtc } from '#images/format/image-name.ts';

const MiB = 1 << 20;

describe('chunk grid', () => {
  test('starts again at partition starts and is cut at their ends', () => {
    const grid = planChunkGrid(6 * MiB, [
      { startByte: 3 * MiB, sizeBytes: MiB + 512 },
      { startByte: MiB + 1024, sizeBytes: MiB + 1024 },
    ]);
    const gapAndFirst = [MiB, MiB + 1024, 2 * MiB + 1024, 2 * MiB + 2048, 3 * MiB];
    expect([...grid]).toEqual([...gapAndFirst, 4 * MiB, 4 * MiB + 512, 5 * MiB + 512, 6 * MiB]);
  });

  test('a disk without partitions is one gap; overlapping or leaving partitions are refused', () => {
    expect([...planChunkGrid(2 * MiB + 1, [])]).toEqual([MiB, 2 * MiB, 2 * MiB + 1]);
    const overlapping = [
      { startByte: 0, sizeBytes: 1024 },
      { startByte: 512, sizeBytes: 1024 },
    ];
    expect(() => planChunkGrid(MiB, overlapping)).toThrow('overlaps the one before it');
    expect(() => planChunkGrid(MiB, [{ startByte: 512, sizeBytes: MiB }])).toThrow('leaves the disk');
  });
});

describe('domain log of partclone', () => {
  /** As `partclone.ntfs -D` writes it for a volume of 32 MiB whose last sector lies behind the last cluster. */
  const byPartclone =
    '# Domain logfile created by unset_name v0.3.23\n# Source: n.img\n# Offset: 0x00000000\n# current_pos  current_status\n' +
    '0x01FFF000     ?\n#      pos        size  status\n0x00000000  0x00003000  +\n0x00003000  0x00001000  ?\n' +
    '0x00004000  0x011FC000  +\n0x01200000  0x00DFF000  ?\n';

  test('lists what is unused; what it does not mention counts as used', () => {
    expect(parseDomainLog(byPartclone, 32 * MiB)).toEqual([
      { startByte: 0x3000, sizeBytes: 0x1000 },
      { startByte: 0x1200000, sizeBytes: 0xdff000 },
    ]);
  });

  test.each([
    ['nothing', '', 'does not begin'],
    ['an error text', 'open target fail', 'does not begin'],
    ['no ranges', byPartclone.split('\n').slice(0, 6).join('\n'), 'lists no range'],
    ['a hole between ranges', byPartclone.replace('0x00003000  0x00001000  ?\n', ''), 'the one before ends'],
    ['another status', byPartclone.replace('0x00001000  ?', '0x00001000  /'), 'not understood'],
    ['only unused blocks', byPartclone.replaceAll('+', '?'), 'every block unused'],
  ])('with %s is no basis for leaving blocks out', (_, text, problem) => {
    expect(parseDomainLog(text, 32 * MiB)).toMatchObject({ problem: expect.stringContaining(problem) });
  });

  test('beyond the volume is refused', () => {
    expect(parseDomainLog(byPartclone, MiB)).toMatchObject({
      problem: expect.stringContaining('the volume has'),
    });
  });
});

test('unused ranges inside a chunk', () => {
  const flat = flattenUnused([
    { startByte: 300, sizeBytes: 100 },
    { startByte: 0, sizeBytes: 100 },
    { startByte: 150, sizeBytes: 50 },
  ]);
  expect(unusedWithin(flat, { startByte: 50, sizeBytes: 300 })).toEqual([
    { startByte: 50, sizeBytes: 50 },
    { startByte: 150, sizeBytes: 50 },
    { startByte: 300, sizeBytes: 50 },
  ]);
  expect(unusedWithin(flat, { startByte: 200, sizeBytes: 100 })).toEqual([]);
  expect(unusedWithin(flat, { startByte: 400, sizeBytes: 100 })).toEqual([]);
});

test('blkid: type and label, with escaped characters', () => {
  const text = 'DEVNAME=/dev/sda\nLABEL=My\\ Projects\nTYPE=ntfs\nUSAGE=filesystem\n';
  expect(parseBlkid(text)).toEqual({ type: 'ntfs', label: 'My Projects' });
  expect(parseBlkid('DEVNAME=/dev/sda\nUUID=1\n')).toBeNull();
});

describe('image names', () => {
  test('folder, reference and time', () => {
    expect(parseImageName('OS-SRV-1A_20261120T020000Z')).toEqual({
      station: 'OS-SRV-1A',
      utc: '20261120T020000Z',
    });
    expect(parseImageRef('OS-SRV-1A@latest')).toEqual({ station: 'OS-SRV-1A', utc: 'latest' });
    expect(formatUtc(new Date('2026-11-20T02:00:00.900Z'))).toBe('20261120T020000Z');
    expect(parseUtc('20261120T020000Z')?.toISOString()).toBe('2026-11-20T02:00:00.000Z');
  });

  test.each([
    'OS-SRV-1A',
    'OS_SRV_20261120T020000Z',
    'A_20261320T020000Z',
    'A_20260230T020000Z',
    '../x_20261120T020000Z',
  ])('%s is no image folder', (text) => expect(parseImageName(text)).toBeNull());

  test.each(['OS-SRV-1A', '@latest', 'A@newest', 'A@20261120', '../../etc@latest', 'A@latest/..'])(
    '%s is no reference',
    (text) => {
      expect(() => parseImageRef(text)).toThrow('is no image');
    },
  );
});
