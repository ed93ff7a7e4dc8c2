import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ImagedWindows, imageManifestSchema } from '#images/format/image-manifest.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { captureDisks } from '#runtime/steps/capture.ts';
import { readWindowsOf } from '#scripts/commands/image/read-windows.ts';
import {
  buildWindowsStation,
  someIdentity,
  stationDisk,
  windowsStation,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { announcedStore } from '#test/support/announced-store.ts';
import { captureImageOf, captureStation, somePassportDisk } from '#test/support/capture-image-of.ts';
import { makeCliSite } from '#test/support/cli-site.ts';
import { attachLoop } from '#test/support/loop-device.ts';
import { makeBlankDisk, makeTemporaryFolder, readAt, run } from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** A domain controller is one in its image, whichever way it came into the store. */

const folder = makeTemporaryFolder();
const at = (name: string): string => path.join(folder.path, name);
let site: string;

beforeAll(async () => {
  await buildWindowsStation(at('dc.raw'), windowsStation({ ...someIdentity, productType: 'LanmanNT' }));
  await buildWindowsStation(at('member.raw'), windowsStation(someIdentity));
  const { startByte, sizeBytes } = stationDisk.windows;
  writeFileSync(at('windows.raw'), readAt(at('dc.raw'), startByte, sizeBytes));
  run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', at('dc.raw'), at('dc.qcow2'));
  site = await makeCliSite(folder.path);
  const state = openState(sitePaths(site).state);
  const disks = [somePassportDisk(statSync(at('dc.raw')).size)];
  addStation(state, { name: 'OS-SRV-1A', passport: { ...somePassport(), disks }, by: 'test' });
  state.close();
}, 300_000);
afterAll(() => folder[Symbol.dispose]());

async function image(
  ...words: string[]
): Promise<{ readonly windows: ImagedWindows | undefined; readonly printed: string }> {
  const images = path.join(site, 'images/images/OS-SRV-1A');
  const verb = ['scripts/rekindle.ts', 'image', ...words, '--station', 'OS-SRV-1A', '--site', site];
  const { stdout } = await promisify(execFile)(process.execPath, verb);
  const newest = readdirSync(images).sort().at(-1) ?? '';
  const text = readFileSync(path.join(images, newest, 'manifest.json'), 'utf8');
  const { windows } = imageManifestSchema.parse(JSON.parse(text));
  return { windows, printed: stdout.replace(/\s+/g, ' ') };
}
const controller = {
  role: 'domain-controller',
  computerName: 'OS-SRV-1A',
  domain: 'plant.example',
  sqlInstances: ['WINCC'],
};

const wrongRole =
  'OS-SRV-1A is registered as client, the Windows on its disks is that of a domain controller';

test.each([
  ['import', ['import', at('dc.qcow2')]],
  ['capture', ['capture', '--disk', at('dc.raw')]],
])('image %s; who registered it as a client is warned', async (_, words) => {
  const { windows, printed } = await image(...words);
  expect(windows).toMatchObject(controller);
  expect(printed).toContain(`warning: ${wrongRole}`);
});

test('at the console the same warning comes before the capture, and stays in the report', async () => {
  const passportDisk = somePassportDisk(statSync(at('dc.raw')).size);
  const passport = { ...somePassport(), disks: [passportDisk] };
  mkdirSync(at('console-store'));
  const said: string[] = [];
  const { sentence } = await captureDisks.run(
    {
      store: await announcedStore(at('console-store')),
      job: {
        ...{ jobId: '', token: '', station: captureStation, storePath: '', share: null },
        ...{ computerName: 'OS-SRV-1A', stationRole: 'client', sequence: 1, previousManifestSha256: null },
        ...{ dataVolumes: [], limits: {}, imageName: 'OS-SRV-1A_20261120T020000Z' },
      },
      disks: [{ passportDisk, devicePath: at('dc.raw') }],
      passport,
      firmware: undefined,
    },
    { say: (text) => said.push(text), progress: () => {} },
  );
  expect(said[0]).toContain(`WARNING: ${wrongRole}`);
  expect(sentence).toContain(`WARNING: ${wrongRole}`);
});

test('image import --base: what the file says counts, not what the base image said', async () => {
  const member = await image('capture', '--disk', at('member.raw'));
  expect(member.windows).toMatchObject({ role: 'server' });
  expect(member.printed).not.toContain('is registered as');
  const onto = [
    'import',
    `0:${stationDisk.windows.number}=${at('windows.raw')}`,
    '--base',
    'OS-SRV-1A@latest',
  ];
  // Newer than the base, whose time it would have otherwise.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const now = new Date(Math.floor(Date.now() / 1000) * 1000).toISOString();
  expect((await image(...onto, '--captured-at', now)).windows).toMatchObject(controller);
});

/** What `--online` reads is a read-only device without partitions of its own; LVM is in test/rehearsal/online-capture. */
test('image capture --online: what is read in place of the disk is looked at', async () => {
  using snapshot = attachLoop(at('dc.raw'), { readOnly: true });
  const passportDisk = somePassportDisk(statSync(at('dc.raw')).size);
  mkdirSync(at('store'));
  const { manifest } = await captureImageOf(at('store'), [{ path: at('member.raw'), passportDisk }], {
    readWindows: readWindowsOf,
    openSources: async () => ({
      paths: [snapshot.path],
      async assertWhole() {},
      async [Symbol.asyncDispose]() {},
    }),
  });
  expect(manifest.windows).toMatchObject(controller);
});

test('a disk file with sectors of 4096 bytes, whose table is not where one of 512 has it', async () => {
  const { startByte, sizeBytes } = stationDisk.windows;
  const file = makeBlankDisk(at('4kn.raw'), statSync(at('dc.raw')).size);
  {
    using loop = attachLoop(file, { sectorBytes: 4096 });
    const [first, last] = [startByte / 4096, (startByte + sizeBytes) / 4096 - 1];
    run('sgdisk', '--set-alignment=1', `--new=1:${first}:${last}`, '--typecode=1:0700', loop.path);
  }
  run(
    'dd',
    `if=${at('windows.raw')}`,
    `of=${file}`,
    'bs=1M',
    `seek=${startByte >> 20}`,
    'conv=notrunc,sparse',
  );
  const passportDisk = somePassportDisk(statSync(file).size, { logicalSectorBytes: 4096 });
  mkdirSync(at('4kn-store'));
  const { manifest } = await captureImageOf(at('4kn-store'), [{ path: file, passportDisk }], {
    readWindows: readWindowsOf,
  });
  expect(manifest.windows).toMatchObject(controller);
});
