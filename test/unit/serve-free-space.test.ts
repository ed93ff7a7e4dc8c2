import { getDiskInfo } from 'node-disk-info';
import { expect, test } from 'vitest';
import { checkFreeSpace, freeBytesOf, judgeFreeSpace } from '#pxe-server/serve/check-free-space.ts';

test('a store that is nearly full is named with what is left', () => {
  expect(judgeFreeSpace('/srv/images', 3.25 * 2 ** 30)?.problem).toBe(
    'The image store /srv/images has 3.3 GiB left, and an image takes about 20 GiB.',
  );
  expect(judgeFreeSpace('/srv/images', 20 * 2 ** 30)).toBeUndefined();
});

test('a full file system has nothing left, a store that is not there is no matter of space', async () => {
  expect((await checkFreeSpace('/proc'))?.problem).toContain('0.0 GiB left');
  expect(await checkFreeSpace('/no/such/store')).toBeUndefined();
});

test('node-disk-info, which reads df, sees the same free space', async () => {
  const root = (await getDiskInfo()).find(({ mounted }) => mounted === '/');
  const dfBytes = (root?.available ?? 0) * 1024;
  expect(Math.abs((await freeBytesOf('/')) - dfBytes)).toBeLessThan(2 ** 30);
});
