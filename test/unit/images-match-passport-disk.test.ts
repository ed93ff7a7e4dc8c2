import { describe, expect, test } from 'vitest';
import { matchPassportDisks } from '#images/capture/match-passport-disk.ts';
import { somePassportDisk } from '#test/support/capture-image-of.ts';

const first = somePassportDisk(1000, { slot: 'a', serial: 'S1', wwn: 'naa.1' });
const second = somePassportDisk(1000, { slot: 'b', serial: 'S2' });
const large = somePassportDisk(5000, { slot: 'c', serial: 'S3' });
const stick = somePassportDisk(7000, { slot: 'd', serial: 'S4', removable: true });
const passport = { disks: [first, second, large, stick] };
const match = (...sources: Parameters<typeof matchPassportDisks>[0]) => matchPassportDisks(sources, passport);

describe('which disk of the passport a source is', () => {
  test('by WWN or serial, whatever the order', () => {
    expect(
      match(
        { path: '/dev/sdb', sizeBytes: 1000, serial: 'S2' },
        { path: '/dev/sda', sizeBytes: 1000, serial: 'S9', wwn: 'naa.1' },
      ),
    ).toEqual([second, first]);
  });

  test('a file: by size where only one is left of it', () => {
    expect(match({ path: 'c.raw', sizeBytes: 5000 })).toEqual([large]);
    expect(
      match({ path: 'b.raw', sizeBytes: 1000 }, { path: 'a.raw', sizeBytes: 1000, named: 'S1' }),
    ).toEqual([second, first]);
  });

  test('as the operator names it: serial, WWN or slot', () => {
    for (const named of ['S1', 'naa.1', 'a'])
      expect(match({ path: 'x', sizeBytes: 1000, named })).toEqual([first]);
  });

  test.each([
    ['two of its size', [{ path: 'x', sizeBytes: 1000 }], '2 disks of the passport have its size'],
    ['none of its size', [{ path: 'x', sizeBytes: 1001 }], 'the size of no disk'],
    ['a stick of the passport', [{ path: 'x', sizeBytes: 7000 }], 'the size of no disk'],
    ['another disk', [{ path: 'x', sizeBytes: 1000, serial: 'S9' }], '0 disks of the passport are "S9"'],
    [
      'another size than it had',
      [{ path: 'x', sizeBytes: 900, serial: 'S1' }],
      'it has 900 bytes, that disk has 1000',
    ],
    [
      'the same one twice',
      [
        { path: 'x', sizeBytes: 1000, named: 'S1' },
        { path: 'y', sizeBytes: 1000, named: 'a' },
      ],
      'not taken yet',
    ],
  ])('%s: refused', (_, sources, why) => {
    expect(() => match(...sources)).toThrow(why);
  });
});
