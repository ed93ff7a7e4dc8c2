import fs from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { makeFolder } from '#base/make-folder.ts';
import { makeFolderDurably } from '#images/stores/durable-write.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';

const folder = makeTemporaryFolder();
afterAll(() => folder[Symbol.dispose]());
const at = (...parts: string[]): string => path.join(folder.path, ...parts);

describe('a folder with those above it', () => {
  test('is made, and the first that was missing is told', async () => {
    expect(await makeFolder(at('one', 'two', 'three'), 0o700)).toBe(at('one'));
    expect(fs.statSync(at('one', 'two', 'three')).mode & 0o777).toBe(0o700);
    expect(await makeFolder(at('one', 'two', 'four'))).toBe(at('one', 'two', 'four'));
    expect(await makeFolder(at('one', 'two'))).toBeUndefined();
  });

  test('may be made by several at once, and by a relative path', async () => {
    const all = Array.from({ length: 8 }, () => makeFolder(at('many', 'at', 'once')));
    await Promise.all(all);
    expect(fs.statSync(at('many', 'at', 'once')).isDirectory()).toBe(true);
    await makeFolderDurably(path.relative(process.cwd(), at('near', 'by')));
    expect(fs.existsSync(at('near', 'by'))).toBe(true);
  });

  const takesNone = 'its file system takes no folders there';
  test.each([
    ['/proc/rekindle', takesNone],
    ['/proc/rekindle/site', takesNone],
    ['/proc/self/site/keys', takesNone],
    // What an immutable folder on a disk says too.
    ['/sys/rekindle', 'it may not be made there'],
  ])('%s: where none can be made that is said, and it ends', async (place, why) => {
    await expect(makeFolder(place)).rejects.toMatchObject({
      code: 'usage',
      message: `Making the folder ${place}: ${why}`,
      next: 'Name a place on a disk.',
    });
  });

  test('not through a file, nor over one', async () => {
    fs.writeFileSync(at('file'), '');
    fs.symlinkSync(at('nowhere'), at('link'));
    for (const place of [at('file'), at('file', 'below'), at('link')])
      await expect(makeFolder(place)).rejects.toMatchObject({ code: 'EEXIST' });
  });
});
