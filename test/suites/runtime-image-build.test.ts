import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { formatCpio } from '#driver-packs/cpio.ts';
import { unpackKernel } from '#driver-packs/kernel-package.ts';
import { baseModules } from '#scripts/runtime/base-modules.ts';
import { bundle, projectRoot } from '#scripts/runtime/bundle.ts';
import { buildSingleExecutable } from '#scripts/runtime/single-executable.ts';
import { writeSiteRuntime } from '#scripts/runtime/site-runtime.ts';
import { toolFiles } from '#scripts/runtime/tool-files.ts';

async function workDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'runtime-image-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test('the executable runs, has its assets, and is the same every time', async () => {
  const directory = await workDirectory();
  const main = `const sea = require('node:sea'); console.log(sea.getAsset('worker.cjs', 'utf8'), process.version);`;
  const build = () =>
    buildSingleExecutable({ main, assets: { 'worker.cjs': 'of a worker' }, workDirectory: directory });
  const executable = await build();
  expect((await build()).equals(executable)).toBe(true);
  const path = join(directory, 'app');
  await writeFile(path, executable, { mode: 0o755 });
  expect(execFileSync(path).toString()).toBe(`of a worker ${process.version}\n`);
});

test('an entry that cannot be bundled is named, with the reason', async () => {
  await expect(bundle('no/such/entry.ts')).rejects.toThrow('cannot bundle no/such/entry.ts');
});

test('every tool runs on nothing but what is in the image', async () => {
  const root = await workDirectory();
  await mkdir(join(root, 'etc'));
  execFileSync('cpio', ['--quiet', '-idm'], { cwd: root, input: formatCpio(await toolFiles()) });
  const inside = (...command: string[]) => execFileSync('chroot', [root, ...command]).toString();
  expect(inside('/bin/sh', '-c', 'echo $((6 * 7))')).toBe('42\n');
  expect(inside('/sbin/blkid', '-V')).toContain('blkid');
  for (const kind of ['btrfs', 'exfat', 'extfs', 'fat', 'ntfs', 'xfs']) {
    expect(inside(`/usr/sbin/partclone.${kind}`, '--version')).toContain('Partclone');
  }
});

test("the image's own modules come with all they need, and drive no network and no disk", async () => {
  const kernel = await unpackKernel({ cacheDirectory: '.rekindle/cache' });
  const paths = (await baseModules(kernel, await workDirectory())).map(({ path }) => path);
  const modules = paths.filter((path) => path.endsWith('.ko')).map((path) => path.replace(/.*\//, ''));
  expect(modules).toEqual(
    expect.arrayContaining(['efivarfs.ko', 'vfat.ko', 'fat.ko', 'usbcore.ko', 'hid.ko']),
  );
  expect(
    paths.filter((path) => /drivers\/(net|ata|scsi|nvme|block|virtio|usb\/storage)\//.test(path)),
  ).toEqual([]);
});

test("the site's part follows the base where the kernel looks for it", async () => {
  const directory = await workDirectory();
  const base = join(directory, 'base');
  await writeFile(base, 'five!');
  const output = join(directory, 'site');
  await writeSiteRuntime({ base, site: { caPem: 'PEM', imageSignerPublicKey: 'PUB' }, output });
  const content = await readFile(output);
  expect([...content.subarray(5, 8)]).toEqual([0, 0, 0]);
  expect(content.subarray(8, 14).toString('latin1')).toBe('070701');
  const listing = execFileSync('cpio', ['--quiet', '-it'], { input: content.subarray(8) }).toString();
  expect(listing).toBe('rekindle\nrekindle/site\nrekindle/site/ca.pem\nrekindle/site/image-signer.pub\n');
});

test('init is a script that busybox reads', () => {
  execFileSync('busybox', ['sh', '-n', join(projectRoot, 'recovery-runtime/src/init/init')]);
});
