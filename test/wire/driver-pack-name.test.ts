import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { makeCliSite } from '#test/support/cli-site.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { makeServedRuntime } from '#test/support/served-site.ts';
import { somePassport } from '#test/support/some-passport.ts';

const folder = makeTemporaryFolder();
afterAll(() => folder[Symbol.dispose]());

test("a station's pack is the same file, however its name was typed", async () => {
  const paths = sitePaths(await makeCliSite(folder.path));
  makeServedRuntime(paths.folder, 1000);
  const state = openState(paths.state);
  addStation(state, { name: 'OS-SRV-1A', passport: somePassport(), by: 'test' });
  state.close();
  const rekindle = (...args: string[]) =>
    spawnSync(process.execPath, ['scripts/rekindle.ts', ...args, '--site', paths.folder], {
      encoding: 'utf8',
    });

  // A kernel without modules: the pack is built, and does not cover the station.
  expect(rekindle('driver-pack', 'build', 'os-srv-1a').stderr).toContain('does not cover OS-SRV-1A');
  expect(readdirSync(paths.packs).filter((name) => /srv/i.test(name))).toEqual([
    'OS-SRV-1A.img',
    'OS-SRV-1A.img.json',
  ]);
  const shown = rekindle('driver-pack', 'show', 'os-Srv-1a', '--json');
  expect(JSON.parse(shown.stdout)).toMatchObject({ station: 'OS-SRV-1A' });
});
