import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildDriverPack } from '#driver-packs/build-driver-pack.ts';
import { checkCoverage } from '#driver-packs/check-coverage.ts';
import { formatCpio } from '#driver-packs/cpio.ts';
import { type UnpackedKernel, unpackKernel } from '#driver-packs/kernel-package.ts';
import { somePassport } from '#test/support/some-passport.ts';

let directory: string;
let kernel: UnpackedKernel;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'packs-'));
  kernel = await unpackKernel({ cacheDirectory: '.rekindle/cache' });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const unpack = async (archive: Buffer): Promise<string> => {
  const target = await mkdtemp(join(directory, 'unpacked-'));
  execFileSync('cpio', ['--quiet', '-idm', '--no-absolute-filenames'], { cwd: target, input: archive });
  return target;
};

test('the second look at the kernel takes what is in the cache', async () => {
  const started = performance.now();
  expect(await unpackKernel({ cacheDirectory: '.rekindle/cache' })).toEqual(kernel);
  expect(performance.now() - started).toBeLessThan(500);
});

test('cpio of Debian reads our archive: files, modes, links, directories', async () => {
  const archive = formatCpio([
    { kind: 'file', path: 'usr/bin/tool', mode: 0o755, bytes: Buffer.from('12345') },
    { kind: 'symlink', path: 'bin', target: 'usr/bin' },
    { kind: 'file', path: 'empty', mode: 0o644, bytes: new Uint8Array() },
  ]);
  expect(archive.length % 4).toBe(0);
  const listing = execFileSync('cpio', ['--quiet', '-itv', '--numeric-uid-gid'], {
    input: archive,
  }).toString();
  expect(listing.split('\n').map((line) => line.replace(/\s+/g, ' '))).toEqual([
    'lrwxrwxrwx 1 0 0 7 Jan 1 1970 bin -> usr/bin',
    '-rw-r--r-- 1 0 0 0 Jan 1 1970 empty',
    'drwxr-xr-x 2 0 0 0 Jan 1 1970 usr',
    'drwxr-xr-x 2 0 0 0 Jan 1 1970 usr/bin',
    '-rwxr-xr-x 1 0 0 5 Jan 1 1970 usr/bin/tool',
    '',
  ]);
  expect(await readFile(join(await unpack(archive), 'bin/tool'), 'utf8')).toBe('12345');
});

test.each(['../x', '/x', 'a//b', 'a/./b', ''])('a path that leaves the root is refused: "%s"', (path) => {
  expect(() => formatCpio([{ kind: 'symlink', path, target: 'x' }])).toThrow('no path below the root');
});

test('a station pack holds signed modules byte for byte, and is the same every time', async () => {
  const build = (name: string) =>
    buildDriverPack({ passport: somePassport(), station: 'TEST-1', kernel, output: join(directory, name) });
  const [first, second] = [await build('a.zst'), await build('b.zst')];
  expect(second.file.sha256).toBe(first.file.sha256);
  expect(first.uncovered).toEqual([]);
  expect(first.file.bytes).toBeLessThan(2_000_000);
  expect(checkCoverage(somePassport(), first.manifest).missing).toEqual([]);

  const tree = await unpack(execFileSync('zstd', ['-dcq', first.file.path], { maxBuffer: 2 ** 28 }));
  const pack = join(tree, 'rekindle/pack');
  expect(JSON.parse(await readFile(join(pack, 'pack.json'), 'utf8'))).toEqual(first.manifest);
  for (const { file, name } of first.manifest.modules) {
    expect((await readFile(join(pack, file))).subarray(-28).toString()).toBe('~Module signature appended~\n');
    expect(execFileSync('modinfo', ['-F', 'vermagic', join(pack, file)]).toString(), name).toContain(
      kernel.version,
    );
  }
});

test('firmware is taken from the folders given, and named when it is nowhere', async () => {
  const folder = join(directory, 'firmware');
  await mkdir(join(folder, 'tigon'), { recursive: true });
  await writeFile(join(folder, 'tigon/tg3.bin'), 'firmware of a test');
  const broadcom = {
    ...somePassport(),
    networkCards: [
      { slot: '0000:02:00.0', id: '14e4:1657', subsystem: '103c:169d', mac: '52:54:00:00:00:04' },
    ],
    modaliases: [],
  };
  const pack = await buildDriverPack({
    passport: broadcom,
    station: 'TEST-2',
    kernel,
    output: join(directory, 'tg3.zst'),
    firmwareDirectories: [folder],
  });
  expect(pack.manifest.covers.map(({ module }) => module)).toContain('tg3');
  expect(pack.manifest.firmware.map(({ file }) => file)).toEqual(['firmware/tigon/tg3.bin']);
  expect(pack.missingFirmware).toContainEqual({ module: 'tg3', file: 'tigon/tg3_tso.bin' });
});
