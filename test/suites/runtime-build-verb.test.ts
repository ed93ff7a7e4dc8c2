import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { unpackKernel } from '#driver-packs/kernel-package.ts';
import { type SitePaths, sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { extractIso } from '#scripts/media/write-iso.ts';
import { isRuntimeCurrent } from '#scripts/runtime/assert-runtime-current.ts';
import { makeCliSite } from '#test/support/cli-site.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** What a site does before its first station boots: firmware of Debian, a chosen kernel, runtime and packs. */

const folder = makeTemporaryFolder();
let paths: SitePaths;

/** With Intel's C600 SAS controller, whose driver asks for a firmware file. */
const passport = {
  ...somePassport(),
  storageControllers: [
    {
      slot: '0000:05:00.0',
      id: '8086:1d6a',
      subsystem: '8086:0000',
      pciClass: '010700',
      mode: 'sas' as const,
    },
  ],
  modaliases: [...somePassport().modaliases, 'pci:v00008086d00001D6Asv00008086sd00000000bc01sc07i00'],
};

beforeAll(async () => {
  paths = sitePaths(await makeCliSite(folder.path));
  const state = openState(paths.state);
  addStation(state, { name: 'OS-SRV-1A', passport, by: 'test' });
  state.close();
});
afterAll(() => folder[Symbol.dispose]());

const rekindle = (...args: string[]) =>
  promisify(execFile)(process.execPath, ['scripts/rekindle.ts', ...args, '--site', paths.folder]).then(
    ({ stdout }) => ({ code: 0, said: stdout }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, said: stderr }),
  );

/** The first build of a checkout makes the universal pack and the runtime; later ones take both from the cache. */
const firstBuild = { timeout: 240_000 };

test(
  '--kernel builds runtime and packs for that kernel, and says whose pack lacks firmware',
  firstBuild,
  async () => {
    const { version, packageVersion } = await unpackKernel({ cacheDirectory: '.rekindle/cache' });
    const built = await rekindle('runtime', 'build', '--fast', '--kernel', `${version}=${packageVersion}`);
    expect(built).toMatchObject({ code: 14, said: expect.stringContaining(`With kernel ${version}`) });
    expect(JSON.parse(readFileSync(paths.kernelRecord, 'utf8'))).toMatchObject({ version, packageVersion });
    const manifest = JSON.parse(readFileSync(paths.runtimeManifest, 'utf8'));
    expect(manifest.files.map((file: { path: string }) => file.path)).toContain('rekindle/recovery-runtime');
    expect(await isRuntimeCurrent(paths)).toBe(true);
  },
);

test('add-firmware fetches a package of Debian; another name, or one without firmware, changes nothing; the pack is green then', async () => {
  expect(await rekindle('driver-pack', 'add-firmware', 'firmware-linux-free')).toMatchObject({ code: 0 });
  const [file] = await promisify(execFile)('find', [paths.folder, '-name', 'isci_firmware.bin']).then(
    ({ stdout }) => stdout.split('\n'),
  );
  expect(file).toMatch(/firmware-packages\/firmware-linux-free_[^/]+\/isci\/isci_firmware\.bin$/);
  const empty = await rekindle('driver-pack', 'add-firmware', 'base-files');
  expect(empty).toMatchObject({ code: 2, said: expect.stringMatching(/holds no firmware[\s\S]*Next: /) });
  const version = await rekindle('driver-pack', 'add-firmware', 'firmware-linux-free=1');
  expect(version).toMatchObject({ code: 2, said: expect.stringMatching(/no version 1[\s\S]*it knows: /) });
  expect(existsSync(file ?? '')).toBe(true);
  expect(await rekindle('driver-pack', 'build', 'OS-SRV-1A')).toMatchObject({ code: 0 });
  const pack = readFileSync(path.join(paths.packs, 'OS-SRV-1A.img.json'), 'utf8');
  expect(pack).toMatch(/isci\/isci_firmware\.bin/);
});

test('--kernel of a release that Debian does not have stops before anything is replaced', async () => {
  const before = readFileSync(paths.kernelRecord);
  const { code, said } = await rekindle('runtime', 'build', '--fast', '--kernel', '6.1.0-0-none');
  expect(said).toMatch(/apt knows no package linux-image-6\.1\.0-0-none/);
  expect(code).toBe(2);
  expect(readFileSync(paths.kernelRecord)).toEqual(before);
});

test('the medium of a station with this runtime holds no password, key or token of its site', async () => {
  const password = 'a long night at the plant';
  writeFileSync(path.join(folder.path, 'password'), `${password}\n`, { mode: 0o600 });
  const passwordFile = ['--password-file', path.join(folder.path, 'password')];
  expect(await rekindle('user', 'add', 'meier', '--role', 'technician', ...passwordFile)).toMatchObject({
    code: 0,
  });
  const medium = path.join(folder.path, 'medium.iso');
  expect(await rekindle('media', 'build', 'OS-SRV-1A', '--output', medium)).toMatchObject({ code: 0 });
  const content = path.join(folder.path, 'content');
  mkdirSync(content);
  await extractIso(medium, content);
  const files = readdirSync(content, { recursive: true, withFileTypes: true }).filter((each) =>
    each.isFile(),
  );
  const held = Buffer.concat(files.map(({ parentPath, name }) => plain(path.join(parentPath, name))));
  // What is public is found in there, so whatever is looked for would be.
  for (const known of [paths.imageSigningPublicKey, paths.caCertificate])
    for (const line of secretLines(known)) expect(held.includes(line), known).toBe(true);
  const secrets = [paths.imageSigningKey, paths.caKey, paths.serverKey].flatMap(secretLines);
  expect(secrets.length).toBeGreaterThan(3);
  const state = openState(paths.state);
  const hash = JSON.stringify(state.prepare('SELECT * FROM users').all());
  state.close();
  const hashed = [...hash.matchAll(/[A-Za-z0-9+/=_-]{20,}/g)].map(([found]) => found);
  expect(hashed.length).toBeGreaterThan(0);
  for (const secret of [password, ...secrets, ...hashed]) expect(held.includes(secret), secret).toBe(false);
});

/** A file of the medium, with what its archives hold behind it. */
function plain(file: string): Buffer {
  const bytes = readFileSync(file);
  const zstd = spawnSync('zstd', ['-dcq', file], { maxBuffer: 2 ** 30 });
  return Buffer.concat([bytes, zstd.stdout]);
}

const secretLines = (file: string): string[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.length > 30 && !/^(-----|untrusted comment)/.test(line));
