import { describe, expect, test } from 'vitest';
import { choosePassportDisks } from '#images/convert/choose-passport-disk.ts';
import type { VirtualDisk } from '#images/convert/inspect-virtual-disk.ts';
import { somePassportDisk } from '#test/support/capture-image-of.ts';

const GiB = 1 << 30;
const file = (sizeBytes: number, more: Partial<VirtualDisk> = {}): VirtualDisk => ({
  path: `/images/${sizeBytes}.vhdx`,
  format: 'vhdx',
  sizeBytes,
  sectorBytes: undefined,
  writtenAt: new Date(0),
  state: { inode: 1n, sizeBytes: 1n, mtimeNs: 1n },
  ...more,
});
const first = somePassportDisk(4 * GiB, { slot: 'ata1', serial: 'S1' });
const twin = somePassportDisk(4 * GiB, { slot: 'ata2', serial: 'S2' });
const other = somePassportDisk(8 * GiB, { slot: 'ata3', serial: 'S3' });
const stick = somePassportDisk(1 * GiB, { slot: 'usb1', removable: true });
const choose = (
  sources: VirtualDisk[],
  disks: (typeof first)[],
  { slots = [] as string[], acceptSize = false } = {},
) => choosePassportDisks(sources, { slots, acceptSize }, { disks });
const serials = (result: ReturnType<typeof choose>) =>
  result.chosen.map(({ passportDisk }) => passportDisk.serial);

describe('which disk of the station a virtual disk is', () => {
  test('the only one that is built in', () => {
    expect(serials(choose([file(4 * GiB)], [stick, first]))).toEqual(['S1']);
  });

  test('the only one of its size; never one of two by their order', () => {
    expect(serials(choose([file(8 * GiB), file(4 * GiB)], [first, other]))).toEqual(['S3', 'S1']);
    expect(() => choose([file(4 * GiB)], [first, twin, other])).toThrow('2 disks have its size');
    expect(() => choose([file(5 * GiB)], [first, other])).toThrow('the size of no disk that is left');
    expect(() => choose([file(4 * GiB), file(4 * GiB)], [first, other])).toThrow('sizes with the passport');
  });

  test('the one at the slot that was named', () => {
    const both = [file(4 * GiB), file(4 * GiB)];
    expect(serials(choose(both, [first, twin], { slots: ['ata2', 'ata1'] }))).toEqual(['S2', 'S1']);
    expect(() => choose(both, [first, twin], { slots: ['ata2', 'ata2'] })).toThrow('or it is taken');
    expect(() => choose([file(4 * GiB)], [first], { slots: ['ata9'] })).toThrow('there is no disk at ata9');
    expect(() => choose([file(1 * GiB)], [first, stick], { slots: ['usb1'] })).toThrow('no disk at usb1');
    expect(() => choose(both, [first, twin], { slots: ['ata1'] })).toThrow('given 1 times');
  });

  test('another size is refused, or told when it is accepted', () => {
    expect(() => choose([file(3 * GiB)], [first])).toThrow('the rest of the disk will be left empty');
    const smaller = choose([file(3 * GiB)], [first], { acceptSize: true });
    expect(smaller.warnings).toEqual([expect.stringContaining('the rest of the disk will be left empty')]);
    const larger = choose([file(5 * GiB)], [first], { acceptSize: true });
    expect(larger.warnings).toEqual([expect.stringContaining('the restore will refuse')]);
    expect(choose([file(4 * GiB)], [first], { acceptSize: true }).warnings).toEqual([]);
  });

  test('sectors that the file names and the disk does not have are refused', () => {
    const fourK = file(4 * GiB, { sectorBytes: 4096 });
    expect(() => choose([fourK], [first])).toThrow('its sectors have 4096 bytes, those of that disk 512');
  });
});
