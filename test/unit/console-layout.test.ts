import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diskBar, progressBar } from '#runtime/console/bars.ts';
import { box, clip, lineColumns, table, wrap, wrapBelow } from '#runtime/console/layout.ts';
import { addReading, emptyMeter, rateOf, secondsLeft } from '#runtime/console/progress-meter.ts';
import { formatDuration } from '#runtime/console/quantities.ts';
import { formatProgress } from '#runtime/console/run-view.ts';

const GiB = 2 ** 30;

describe('layout', () => {
  test('wraps at words and breaks only what is longer than a line', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('abcdefghij kl', 4)).toEqual(['abcd', 'efgh', 'ij', 'kl']);
  });
  test('continues under its label', () => {
    expect(wrapBelow('Next: ', 'check the cable', 12)).toEqual(['Next: check', '      the', '      cable']);
  });
  test('whatever a disk calls itself, no line is wider than the screen and none holds a control character', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: 'grapheme' }), (text) => {
        const lines = [...wrap(text), ...box([text]), ...table(['a', 'b'], [[text, text]])];
        for (const line of lines) {
          expect(line.length).toBeLessThanOrEqual(lineColumns);
          expect(line).toMatch(/^[\x20-\x7e]*$/);
        }
      }),
    );
  });
  test('clips with dots', () => {
    expect(clip('abcdefgh', 6)).toBe('abc...');
    expect(clip('abcdef', 6)).toBe('abcdef');
  });
});

describe('bars', () => {
  test('a progress bar is full only at the end', () => {
    expect(progressBar(0, 10)).toBe('[..........]');
    expect(progressBar(0.5, 10)).toBe('[#####.....]');
    expect(progressBar(0.9999, 10)).toBe('[#########.]');
    expect(progressBar(1, 10)).toBe('[##########]');
  });
  test('a disk bar shows what is overwritten, what survives and what is neither', () => {
    const ranges = [
      { startByte: 0, sizeBytes: 40, fate: 'overwritten' },
      { startByte: 50, sizeBytes: 30, fate: 'kept' },
    ] as const;
    expect(diskBar(100, ranges, 10)).toBe('[####.===..]');
  });
  test('the smallest range shows, also over a kept one in the same cell', () => {
    const ranges = [
      { startByte: 0, sizeBytes: 100, fate: 'kept' },
      { startByte: 99, sizeBytes: 1, fate: 'overwritten' },
    ] as const;
    expect(diskBar(100, ranges, 10)).toBe('[=========#]');
  });
});

describe('rate and time left', () => {
  const readings = (bytesPerSecond: readonly number[]) => {
    let done = 0;
    return bytesPerSecond.reduce((meter, bytes, second) => {
      done += bytes;
      return addReading(meter, second, done);
    }, emptyMeter);
  };
  test('say nothing before there is something to say', () => {
    expect(rateOf(emptyMeter)).toBeUndefined();
    expect(rateOf(readings([10, 10]))).toBeUndefined();
  });
  test('a steady rate gives the time that is really left', () => {
    const meter = readings(Array.from({ length: 11 }, () => 10));
    expect(rateOf(meter)).toBe(10);
    expect(secondsLeft(meter, 210)).toBe(10);
  });
  test('follow the last half minute, not the beginning', () => {
    const meter = readings([
      ...Array.from({ length: 100 }, () => 1000),
      ...Array.from({ length: 31 }, () => 10),
    ]);
    expect(rateOf(meter)).toBe(10);
  });
  test('a stalled transfer has no time left to promise', () => {
    expect(secondsLeft(readings([10, 0, 0, 0, 0]), 100)).toBeUndefined();
  });
  test('many readings a second do not pile up', () => {
    let meter = emptyMeter;
    for (let reading = 0; reading < 5000; reading += 1) meter = addReading(meter, reading / 100, reading);
    expect(meter.length).toBeLessThan(40);
    expect(rateOf(meter)).toBeCloseTo(100, 0);
  });
});

describe('quantities', () => {
  test.each([
    [0, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 min 00 s'],
    [125, '2 min 05 s'],
    [4320, '1 h 12 min'],
  ])('%d seconds', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
  test('a progress line of the largest numbers fits', () => {
    const meter = [
      { atSeconds: 0, doneBytes: 0 },
      { atSeconds: 10, doneBytes: 1023 * 2 ** 20 * 10 },
    ];
    const line = formatProgress(meter, 1023 * 2 ** 20 * 10, 1023.9 * GiB * 1024);
    expect(line.length).toBeLessThanOrEqual(lineColumns);
    expect(line).toContain('left');
  });
});
