import { execFile } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { unpackKernel } from '#driver-packs/kernel-package.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { writeServedKernel } from '#pxe-server/site/served-kernel.ts';
import { writeServedRuntime } from '#pxe-server/site/served-runtime.ts';
import { type SitePaths, sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState, type State } from '#pxe-server/site/state.ts';
import { addStation, updatePassport } from '#pxe-server/stations/station-registry.ts';
import { buildMedium } from '#scripts/media/build-medium.ts';
import { bundleRuntime, programSha256 } from '#scripts/runtime/runtime-program.ts';
import {
  captureImageOf,
  captureKey,
  captureStation,
  somePassportDisk,
} from '#test/support/capture-image-of.ts';
import { makeCliSite } from '#test/support/cli-site.ts';
import { demoDisk, makeDemoDisk, makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** Each sentence of `media check`, from a medium that `media build` made and what has become of its site since. */
vi.setConfig({ testTimeout: 60_000 });

const folder = makeTemporaryFolder();
const at = (name: string): string => path.join(folder.path, name);
const passportDisk = somePassportDisk(demoDisk.sizeBytes);
const passport: HardwarePassport = { ...somePassport(), disks: [passportDisk] };
let paths: SitePaths;
let image: ImageName;
/** The kernel that the site serves, as it was when the medium was built. */
let kernelRecord: string;

function withState<T>(use: (state: State) => T): T {
  const state = openState(paths.state);
  try {
    return use(state);
  } finally {
    state.close();
  }
}

beforeAll(async () => {
  paths = sitePaths(await makeCliSite(folder.path));
  withState((state) => addStation(state, { name: captureStation, passport, by: 'test' }));
  const disk = makeDemoDisk(folder.path);
  const store = path.join(paths.folder, 'images');
  ({ name: image } = await captureImageOf(store, [{ path: disk, passportDisk }], { passport }));
  // Newer, and of a board that the station does not have.
  const other = { ...passport, board: { ...passport.board, product: 'B-71' } };
  await captureImageOf(store, [{ path: disk, passportDisk }], { passport: other });
  await writeServedKernel(paths, await unpackKernel({ cacheDirectory: '.rekindle/cache' }));
  kernelRecord = readFileSync(paths.kernelRecord, 'utf8');
  mkdirSync(paths.runtime, { recursive: true });
  writeFileSync(paths.runtimeImage, 'a runtime');
  await writeServedRuntime(paths, { programSha256: await programSha256(await bundleRuntime()) });
  await rekindle(
    'build',
    captureStation,
    '--output',
    at('medium.img'),
    '--with-image',
    formatImageRef(image),
  );
}, 120_000);
afterAll(() => folder[Symbol.dispose]());

beforeEach(() => {
  writeFileSync(paths.runtimeImage, 'a runtime');
  writeFileSync(paths.kernelRecord, kernelRecord);
  withState((state) => updatePassport(state, captureStation, passport));
});

const rekindle = (...args: string[]) =>
  promisify(execFile)(process.execPath, [
    'scripts/rekindle.ts',
    'media',
    ...args,
    '--site',
    paths.folder,
  ]).then(
    ({ stdout }) => ({ code: 0, said: stdout }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      ...{ code: error.code, said: `${error.stdout}${error.stderr}` },
    }),
  );
const check = (name = 'medium.img') => rekindle('check', at(name));

test('just built: which station, how old, whole, not outdated, the image that fits, the image on it', async () => {
  const { code, said } = await check();
  expect(said.split('\n')).toEqual([
    expect.stringMatching(/^Recovery medium of OS-SRV-1A, built \S+Z \(0 days ago\)\.$/),
    'Every file is as it was built.',
    'Nothing on it is outdated.',
    `Images that fit: ${formatImageRef(image)}`,
    `On it: ${formatImageRef(image)}, whole to the last chunk.`,
    "Not checked: Whether the station's Secure Boot accepts its boot loaders: the station's passport holds none of its Secure Boot databases; a new capture takes them along.",
    '',
  ]);
  expect(code).toBe(0);
});

test('another disk, kernel, runtime, pack and other Secure Boot databases since then: each is named; still whole', async () => {
  writeFileSync(paths.runtimeImage, 'a newer runtime');
  const { version } = JSON.parse(kernelRecord);
  writeFileSync(
    paths.kernelRecord,
    kernelRecord.replaceAll(`"version": "${version}"`, '"version": "9.9.9-1-amd64"'),
  );
  const disks = [{ ...passportDisk, serial: 'SSD-0002' }];
  const secureBootKeys = { db: [], dbx: { loaders: [], certificates: [] }, otherEntries: 2 };
  const firmware = { ...passport.firmware, secureBoot: 'enabled' as const, secureBootKeys };
  withState((state) => updatePassport(state, captureStation, { ...passport, disks, firmware }));
  const { code, said } = await check();
  expect(said).toContain('Every file is as it was built.');
  expect(said.match(/^OUTDATED: .*/gm)).toEqual([
    expect.stringMatching(/Since it was built: The disk at 0000:00:1f\.2\/ata1 was replaced: .*SSD-0002/),
    `OUTDATED: Its kernel is ${version}; this site serves 9.9.9-1-amd64.`,
    'OUTDATED: Its runtime is not the one that this site serves.',
    'OUTDATED: Its driver pack is not the one that OS-SRV-1A would get now (medium.img).',
  ]);
  expect(said).toMatch(
    /^SECURE BOOT REFUSES IT: EFI\/BOOT\/BOOTX64\.EFI is signed by Microsoft .*, and db has no certificate\.$/m,
  );
  expect(said.match(/^Not checked: .*/gm)).toEqual([
    'Not checked: What SbatLevel of the station asks for: no shim has run there.',
    'Not checked: 2 entries of db and dbx of a kind that is not looked at.',
    'Not checked: Whether db, dbx and SbatLevel changed since the passport was taken.',
  ]);
  expect(code).toBe(0);
});

test('a new device alone makes the driver pack outdated; a BIOS machine has no Secure Boot to ask', async () => {
  const ahci = 'pci:v00008086d0000A282sv00001AF4sd00001100bc01sc06i01';
  const nvme = 'pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02';
  const controller = { slot: '0000:01:00.0', id: '144d:a808', subsystem: '144d:a801' };
  const firmware = { kind: 'bios', version: '1', secureBoot: 'not-supported' } as const;
  withState((state) =>
    updatePassport(state, captureStation, {
      ...passport,
      firmware,
      storageControllers: [
        ...passport.storageControllers,
        { ...controller, pciClass: '010802', mode: 'nvme' },
      ],
      modaliases: [...passport.modaliases, ahci, nvme].sort(),
    }),
  );
  const { said } = await check();
  const outdated = said.match(/^OUTDATED: .*/gm);
  expect(outdated?.at(-1)).toMatch(/Its driver pack is not the one/);
  expect(outdated?.join(' ')).not.toMatch(/kernel|runtime/);
  expect(said).not.toMatch(/Secure Boot accepts|SECURE BOOT|Not checked/);
});

test('40 days old, of a station that is gone, without an image that fits', async () => {
  const gone = { ...passport, board: { ...passport.board, product: 'B-72' } };
  for (const name of ['vmlinuz', 'pack']) writeFileSync(at(name), name);
  await buildMedium({
    ...{ station: 'OS-SRV-9', passport: gone, runtime: paths.runtimeImage, driverPack: at('pack') },
    kernel: { version: JSON.parse(kernelRecord).version, file: at('vmlinuz') },
    ...{ commandLine: [], signingKey: captureKey, output: at('old.iso') },
    builtAt: new Date(Date.now() - 40.5 * 86_400_000),
  });
  const { said } = await check('old.iso');
  expect(said).toMatch(/^Recovery medium of OS-SRV-9, built \S+Z \(40 days ago\)\.$/m);
  expect(said.match(/^OUTDATED: .*/gm)).toEqual(['OUTDATED: OS-SRV-9 is no station of this site any more.']);
  expect(said).toMatch(/^No image in the store fits it\.$/m);
  expect(said).not.toMatch(/^On it/m);
});

test('a medium that is no medium is refused, with the way to one', async () => {
  appendFileSync(at('nothing.iso'), 'x'.repeat(100_000));
  const { code, said } = await check('nothing.iso');
  expect(said).toMatch(/rekindle media build STATION/);
  expect(code).not.toBe(0);
});
