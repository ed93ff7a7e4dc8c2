import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { exitCodeOf, formatError } from '#base/errors.ts';
import { createSite } from '#pxe-server/site/create-site.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openImages } from '#scripts/commands/image/open-images.ts';
import { explainSystemError } from '#scripts/explain-system-error.ts';
import { fitTerminal } from '#scripts/fit-terminal.ts';
import { makeCliSite } from '#test/support/cli-site.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cli-words-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('lines on a terminal', () => {
  it('break between words, indented as they begin, and leave the last column free', () => {
    expect(fitTerminal('  - one two three four', 13)).toBe('  - one two\n    three\n    four');
    expect(fitTerminal('PROBLEM  one two three', 18, 9)).toBe('PROBLEM  one two\n         three');
    expect(fitTerminal('exactly ten', 12)).toBe('exactly ten');
    expect(fitTerminal('exactly ten', 11)).toBe('exactly\nten');
  });

  it('never break a word, and not at all where there is no terminal', () => {
    const file = `/mnt/${'x'.repeat(40)}`;
    expect(fitTerminal(`in ${file} or so`, 20)).toBe(`in\n${file}\nor so`);
    expect(fitTerminal(`in ${file} or so`, undefined)).toBe(`in ${file} or so`);
  });
});

describe('what the operating system refuses', () => {
  const said = async (doing: Promise<unknown>) => {
    const error = explainSystemError(await doing.catch((thrown: unknown) => thrown));
    return { text: formatError(error), code: exitCodeOf(error) };
  };

  it('is said with the file, the reason and what to do', async () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    const missing = await said(writeFile(path.join(folder, 'no', 'file'), ''));
    expect(missing.text).toContain(`${folder}/no/file is not there`);
    expect(missing).toMatchObject({ code: 2, text: expect.stringMatching(/because: ENOENT.*\nNext: /) });
    expect((await said(mkdir(file, { recursive: true }))).text).toContain(`${file} is in the way`);
    expect((await said(readFile(folder))).text).toContain('a file is needed');
    expect(await said(writeFile('/dev/full', 'x'))).toMatchObject({
      code: 1,
      text: expect.stringMatching(/its file system is full\n.*ENOSPC.*\nNext: Make room/),
    });
  });

  it('of sockets and of our own errors stays what it was', () => {
    const listen = Object.assign(new Error('listen EACCES'), { code: 'EACCES', syscall: 'listen' });
    expect(explainSystemError(listen)).toBe(listen);
    const spawn = Object.assign(new Error('spawn x ENOENT'), {
      code: 'ENOENT',
      syscall: 'spawn x',
      path: 'x',
    });
    expect(explainSystemError(spawn)).toBe(spawn);
  });
});

describe('a site that cannot be made', () => {
  it.each([
    ['an interface that is not there', { interface: 'nope', dhcp: { mode: 'proxy' } }],
    [
      'a range upside down',
      { interface: 'lo', dhcp: { mode: 'reservation', stations: { from: '127.0.0.9', to: '127.0.0.2' } } },
    ],
  ] as const)('for %s leaves nothing behind that the next try would keep', async (_, initial) => {
    const site = path.join(folder, 'site');
    await expect(createSite(sitePaths(site), initial)).rejects.toMatchObject({ code: 'usage' });
    expect(existsSync(site)).toBe(false);
  });
});

test('a store folder that is not there is not a store without images', async () => {
  const site = await makeCliSite(path.join(folder, 'cli'));
  const store = path.join(folder, 'unmounted');
  await expect(openImages({ site, store })).rejects.toMatchObject({ code: 'store-unreachable' });
  expect((await openImages({ site })).store).toBe(path.join(site, 'images'));
});
