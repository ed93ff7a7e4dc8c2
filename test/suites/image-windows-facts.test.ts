import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imageManifestSchema } from '#images/format/image-manifest.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import {
  buildWindowsStation,
  someIdentity,
  windowsStation,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { somePassportDisk } from '#test/support/capture-image-of.ts';
import { makeCliSite } from '#test/support/cli-site.ts';
import { makeTemporaryFolder, run } from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** A domain controller is one in its image, whichever way it came into the store. */

const folder = makeTemporaryFolder();
const at = (name: string): string => path.join(folder.path, name);
let site: string;

beforeAll(async () => {
  await buildWindowsStation(at('dc.raw'), windowsStation({ ...someIdentity, productType: 'LanmanNT' }));
  run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', at('dc.raw'), at('dc.qcow2'));
  site = await makeCliSite(folder.path);
  const state = openState(sitePaths(site).state);
  const disks = [somePassportDisk(statSync(at('dc.raw')).size)];
  addStation(state, { name: 'OS-SRV-1A', passport: { ...somePassport(), disks }, by: 'test' });
  state.close();
}, 300_000);
afterAll(() => folder[Symbol.dispose]());

test.each([
  ['import', ['import', at('dc.qcow2')]],
  ['capture', ['capture', '--disk', at('dc.raw')]],
])('image %s', async (_, words) => {
  const images = path.join(site, 'images/images/OS-SRV-1A');
  const verb = ['scripts/rekindle.ts', 'image', ...words, '--station', 'OS-SRV-1A', '--site', site];
  await promisify(execFile)(process.execPath, verb);
  const newest = readdirSync(images).sort().at(-1) ?? '';
  const text = readFileSync(path.join(images, newest, 'manifest.json'), 'utf8');
  expect(imageManifestSchema.parse(JSON.parse(text)).windows).toMatchObject({
    role: 'domain-controller',
    computerName: 'OS-SRV-1A',
    domain: 'plant.example',
    sqlInstances: ['WINCC'],
  });
});
