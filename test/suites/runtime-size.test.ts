import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { makeCliSite } from '#test/support/cli-site.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';

/** What an unknown machine loads beside the kernel, as a plant builds it (not `--fast`). */

/** 10^6 bytes, as `rekindle runtime build` says it. */
const mostMegabytes = 36;
/** The first build of a checkout compresses both; later ones take them from the cache. */
const firstBuild = { timeout: 300_000 };

test('runtime and universal pack together are within the goal', firstBuild, async () => {
  using folder = makeTemporaryFolder();
  const site = await makeCliSite(folder.path);
  const build = ['scripts/rekindle.ts', 'runtime', 'build', '--site', site];
  const { stdout } = await promisify(execFile)(process.execPath, build);
  const [, runtime, pack] = /runtime \(([\d.]+) MB\)[\s\S]*driver pack \(([\d.]+) MB\)/.exec(stdout) ?? [];
  const total = Number(runtime) + Number(pack);
  process.stdout.write(`runtime ${runtime} MB, universal pack ${pack} MB\n`);
  expect(total).toBeGreaterThan(10);
  expect(total).toBeLessThanOrEqual(mostMegabytes);
});
