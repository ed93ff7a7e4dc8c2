import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeServedRuntime } from '#pxe-server/site/served-runtime.ts';
import { type SitePaths, sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { assertRuntimeCurrent } from '#scripts/runtime/assert-runtime-current.ts';
import { bundleRuntime, programSha256 } from '#scripts/runtime/runtime-program.ts';
import { captureImageOf, somePassportDisk } from '#test/support/capture-image-of.ts';
import { makeCliSite } from '#test/support/cli-site.ts';
import { demoDisk, makeDemoDisk, makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** A service that was updated, and a runtime that was not: found out here, not at the station. */

const folder = makeTemporaryFolder();
let paths: SitePaths;

beforeAll(async () => {
  paths = sitePaths(await makeCliSite(folder.path));
  const passportDisk = somePassportDisk(demoDisk.sizeBytes);
  const passport = { ...somePassport(), disks: [passportDisk] };
  const state = openState(paths.state);
  addStation(state, { name: 'OS-SRV-1A', passport, by: 'test' });
  state.close();
  const store = path.join(paths.folder, 'images');
  await captureImageOf(store, [{ path: makeDemoDisk(folder.path), passportDisk }], { passport });
  mkdirSync(paths.runtime, { recursive: true });
  writeFileSync(paths.runtimeImage, 'a runtime');
});
afterAll(() => folder[Symbol.dispose]());

const rekindle = (...args: string[]) =>
  promisify(execFile)(process.execPath, ['scripts/rekindle.ts', ...args, '--site', paths.folder]).then(
    () => ({ code: 0, stderr: '' }),
    (error: { code: number; stderr: string }) => error,
  );

test('the runtime of this version is taken; one of another, or of an unknown one, is not', async () => {
  const here = await programSha256(await bundleRuntime());
  const doing = 'Building a medium';
  await expect(assertRuntimeCurrent(paths, doing)).rejects.toThrow(/another version/);
  await writeServedRuntime(paths, {
    programSha256: here.replace(/^./, (first) => (first === '0' ? '1' : '0')),
  });
  await expect(assertRuntimeCurrent(paths, doing)).rejects.toThrow(/another version/);
  await writeServedRuntime(paths, { programSha256: here });
  await expect(assertRuntimeCurrent(paths, doing)).resolves.toBeUndefined();
});

test('the hash is that of the program and of everything beside it that is ours', async () => {
  const program = await bundleRuntime();
  const here = await programSha256(program);
  expect(await programSha256({ ...program, main: `${program.main}\n` })).not.toBe(here);
  const assets = { ...program.assets, 'restore-worker.cjs': '' };
  expect(await programSha256({ ...program, assets })).not.toBe(here);
  expect(Object.keys(program.assets)).toContain('restore-worker.cjs');
});

test.each([
  ['media build', ['media', 'build', 'OS-SRV-1A', '--output', path.join(folder.path, 'medium.iso')]],
  ['rehearse', ['rehearse', 'OS-SRV-1A']],
])('%s refuses with an old runtime, and says what to do', async (_, args) => {
  await writeServedRuntime(paths, { programSha256: '0'.repeat(64) });
  const { code, stderr } = await rekindle(...args);
  expect(stderr).toMatch(/built by another version of Rekindle/);
  expect(stderr).toMatch(/rekindle runtime build/);
  expect(code).toBe(2);
});
