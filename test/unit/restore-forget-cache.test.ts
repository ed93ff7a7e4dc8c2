import { expect, test } from 'vitest';
import { forgetCache } from '#runtime/restore/forget-cache.ts';

const disk = { path: '/dev/sdx', direct: false, isBlockDevice: true };

test('a disk that can only be read from memory is refused', () => {
  expect(() => forgetCache(disk, () => false)).toThrow(
    expect.objectContaining({ code: 'target-unfit', message: expect.stringContaining('/dev/sdx') }),
  );
});

test('unbuffered access, a dropped cache or a mere file is enough', () => {
  expect(() => forgetCache({ ...disk, direct: true }, () => false)).not.toThrow();
  expect(() => forgetCache(disk, () => true)).not.toThrow();
  expect(() => forgetCache({ ...disk, isBlockDevice: false }, () => false)).not.toThrow();
});
