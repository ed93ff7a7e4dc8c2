import { execFile, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runReportSchema } from '#contract/run-report.ts';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import { formatPublicKey } from '#images/format/minisign.ts';
import { assertDiskFree } from '#runtime/block/assert-disk-free.ts';
import { takeInventory } from '#runtime/inventory/inventory.ts';
import { projectRoot } from '#scripts/runtime/bundle.ts';
import {
  captureImageOf,
  captureKey,
  captureStation,
  somePassportDisk,
} from '#test/support/capture-image-of.ts';
import { serveFolder } from '#test/support/images-folder-server.ts';
import { demoDisk, makeDemoDisk, makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';

/** `rekindle restore` as it is typed, on the machine that runs the tests, where it must refuse. */

const folder = makeTemporaryFolder();
const inFolder = (name: string): string => path.join(folder.path, name);
const store = inFolder('store');
let disk: string;
/** Of a station that this machine is not. */
let ref: string;

beforeAll(async () => {
  fs.mkdirSync(store);
  fs.writeFileSync(inFolder('site.pub'), formatPublicKey(captureKey));
  disk = makeDemoDisk(folder.path);
  const passportDisk = somePassportDisk(demoDisk.sizeBytes);
  ref = formatImageRef((await captureImageOf(store, [{ path: disk, passportDisk }])).name);
});
afterAll(() => folder[Symbol.dispose]());

const rekindle = (...options: string[]) => {
  const files = ['--public-key', inFolder('site.pub'), '--report', inFolder('command.json')];
  const command = [path.join(projectRoot, 'scripts/rekindle.ts'), 'restore', '--store', store, ...files];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...command, ...options], {
    encoding: 'utf8',
    input: '',
  });
  return { status, said: `${stdout}${stderr}`.replace(/\s+/g, ' '), stdout };
};

test('on another machine: 12, the differences in its report', () => {
  const { status, stdout } = rekindle('--image', `${captureStation}@latest`, '--json');
  expect(status).toBe(12);
  expect(JSON.parse(stdout)).toMatchObject({ outcome: 'failed', exitCode: 12, disks: [] });
  const report = runReportSchema.parse(JSON.parse(fs.readFileSync(inFolder('command.json'), 'utf8')));
  expect(report.machine).toMatchObject({ outcome: 'refused', exitCode: 12 });
});

test('from a plain web server: the same answer', async () => {
  const server = await serveFolder(store, false, 0, null);
  const options = ['--store', server.url, '--image', ref, '--public-key', inFolder('site.pub')];
  const report = ['--report', inFolder('http.json'), '--json'];
  const script = path.join(projectRoot, 'scripts/rekindle.ts');
  const failed = await promisify(execFile)(process.execPath, [script, 'restore', ...options, ...report]).then(
    () => undefined,
    (error: { readonly code: number; readonly stdout: string }) => error,
  );
  await server.close();
  expect(failed?.code).toBe(12);
  expect(JSON.parse(failed?.stdout ?? '')).toMatchObject({ station: captureStation, exitCode: 12 });
});

test.each<[string, string[], number, string]>([
  [
    'a file as target',
    ['--image', `${captureStation}@latest`, '--disk', import.meta.filename],
    13,
    'no block device',
  ],
  ['a station without image', ['--image', 'NOBODY@latest'], 11, 'NOBODY'],
  ['no key', ['--image', `${captureStation}@latest`, '--public-key', '/none.pub'], 2, '--public-key'],
])('%s is refused', (_, options, exitCode, word) => {
  const { status, said } = rekindle(...options);
  expect(said).toContain(word);
  expect(status).toBe(exitCode);
});

test("this machine's own disk, mounted as it is: 13, and its name is never asked for", async () => {
  const { passport, disks } = await takeInventory();
  const uses = await Promise.all(
    disks.map(async (own) => ({
      disk: own,
      free: await assertDiskFree(own.devicePath, []).then(
        () => true,
        () => false,
      ),
    })),
  );
  const busy = uses.find(({ free }) => !free)?.disk;
  if (busy === undefined) throw new Error('this machine has no disk of its own that is mounted');
  const here = { path: disk, passportDisk: { ...busy.passportDisk, sizeBytes: demoDisk.sizeBytes } };
  const { name } = await captureImageOf(store, [here], {
    station: stationNameSchema.parse('THIS-MACHINE'),
    passport,
  });
  const ref = formatImageRef(name);
  const { status, said } = rekindle('--image', ref, '--dry-run');
  expect(said).toMatch(/is mounted at \/|is in use|is swapped on/);
  expect(said).not.toContain('to start the restore');
  expect(status).toBe(13);
});
