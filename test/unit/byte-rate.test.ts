import { expect, test } from 'vitest';
import { parseByteRate, parsePercent } from '#scripts/byte-rate.ts';

test.each([
  ['2500K', 2_560_000],
  ['10m', 10_485_760],
  ['1G', 1_073_741_824],
  ['500000', 500_000],
])('%s is a rate', (text, rate) => expect(parseByteRate(text)).toBe(rate));

test.each(['', '0K', '100', '2.5M', '-1K', '2500KB', '2500 K', 'fast'])('"%s" is none', (text) => {
  expect(() => parseByteRate(text)).toThrow('Write a rate as 2500K');
});

test('a percentage is 1 to 100', () => {
  expect(parsePercent('60')).toBe(60);
  for (const text of ['0', '101', '6e1', '60%', '']) expect(() => parsePercent(text)).toThrow('1 to 100');
});
