import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { formatCpio } from '#driver-packs/cpio.ts';
import { unpackKernel } from '#driver-packs/kernel-package.ts';
import { baseModules } from '#scripts/runtime/base-modules.ts';
import { bundle, projectRoot } from '#scripts/runtime/bundle.ts';
import { buildSingleExecutable, nodeBinary } from '#scripts/runtime/single-executable.ts';
import { writeSiteRuntime } from '#scripts/runtime/site-runtime.ts';
import { nativeFiles, programFiles, startFiles, toolFiles } from '#scripts/runtime/tool-files.ts';
import { webAssemblyTexts } from '#scripts/runtime/unused-parts.ts';

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
  expect(webAssemblyTexts(await readFile(nodeBinary), 50_000)).not.toEqual([]);
  expect(webAssemblyTexts(executable, 50_000)).toEqual([]);
});

test('English is left of the languages: numbers, dates, time zones, sorting and bytes of other codes', async () => {
  const directory = await workDirectory();
  const main = `
    const date = new Intl.DateTimeFormat('en', { timeZone: 'Europe/Berlin', dateStyle: 'full', timeStyle: 'short' });
    console.log(JSON.stringify([
      date.format(0).replace(/\\s/g, ' '), (1234.5).toLocaleString(), 'b'.localeCompare('a'), '\u0041\u030a'.normalize('NFKC'),
      new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from('gr\u00fcn')), new TextDecoder('latin1').decode(Uint8Array.of(252)),
      new URL('http://b\u00fccher.example').host, Intl.DateTimeFormat.supportedLocalesOf(['en', 'de']),
    ]));`;
  const executable = await buildSingleExecutable({ main, assets: {}, workDirectory: directory });
  const path = join(directory, 'app');
  await writeFile(path, executable, { mode: 0o755 });
  expect(JSON.parse(execFileSync(path).toString())).toEqual([
    ...['Thursday, January 1, 1970 at 1:00 AM', '1,234.5', 1, '\u00c5', 'gr\u00fcn', '\u00fc'],
    ...['xn--bcher-kva.example', expect.arrayContaining(['en'])],
  ]);
  // 33 MB of them were the ICU data. What is left of most are zeros, which are not in the file.
  const { size } = await stat(nodeBinary);
  expect(size - executable.length).toBeGreaterThan(60_000_000);
  expect(longestRunOfZeros(executable)).toBeLessThan(400_000);
});

/** Linear, unlike a search for as many zeros: that one takes hours where there are fewer. */
function longestRunOfZeros(bytes: Buffer): number {
  let longest = 0;
  let length = 0;
  for (const byte of bytes) {
    length = byte === 0 ? length + 1 : 0;
    if (length > longest) longest = length;
  }
  return longest;
}

test('an entry that cannot be bundled is named, with the reason', async () => {
  await expect(bundle('no/such/entry.ts')).rejects.toThrow('cannot bundle no/such/entry.ts');
});

test('every tool runs on nothing but what is in the image', async () => {
  const root = await workDirectory();
  await mkdir(join(root, 'etc'));
  execFileSync('cpio', ['--quiet', '-idm'], {
    cwd: root,
    input: formatCpio([...(await startFiles()), ...(await toolFiles())]),
  });
  const inside = (...command: string[]) => execFileSync('chroot', [root, ...command]).toString();
  expect(inside('/bin/sh', '-c', 'echo $((6 * 7))')).toBe('42\n');
  expect(inside('/bin/sh', '-c', 'pzstd -V 2>&1')).toContain('PZSTD');
  expect(inside('/sbin/blkid', '-V')).toContain('blkid');
  for (const kind of ['btrfs', 'exfat', 'extfs', 'fat', 'ntfs', 'xfs']) {
    expect(inside(`/usr/sbin/partclone.${kind}`, '--version')).toContain('Partclone');
  }
});

test('the character sets of registry hives and of FAT are in the image', async () => {
  const root = await workDirectory();
  const iconv = await programFiles([['/usr/bin/iconv', 'libc-bin']]);
  const files = formatCpio([
    ...(await startFiles()),
    ...(await toolFiles()),
    ...(await nativeFiles()),
    ...iconv,
  ]);
  execFileSync('cpio', ['--quiet', '-idm'], { cwd: root, input: files });
  for (const [set, bytes] of [
    ['LATIN1', Buffer.from('Control\xe9', 'latin1')],
    ['UTF-16LE', Buffer.from('Controlé', 'utf16le')],
  ] as const) {
    const said = execFileSync('chroot', [root, '/bin/iconv', '-f', set, '-t', 'UTF-8'], { input: bytes });
    expect(said.toString('utf8'), set).toBe('Controlé');
  }
  const fat = join(root, 'fat');
  execFileSync('mformat', ['-C', '-T', '8192', '-h', '64', '-s', '32', '-i', fat, '::']);
  execFileSync('mcopy', ['-i', fat, '-', '::/BCD'], { input: 'a boot store' });
  const read = execFileSync('chroot', [root, '/bin/mtools', '-c', 'mtype', '-i', '/fat', '::/BCD']);
  expect(read.toString()).toBe('a boot store');
});

test("the image's own modules come with all they need, and drive no network and no disk", async () => {
  const kernel = await unpackKernel({ cacheDirectory: '.rekindle/cache' });
  const paths = (await baseModules(kernel, await workDirectory())).map(({ path }) => path);
  const modules = paths.filter((path) => path.endsWith('.ko')).map((path) => path.replace(/.*\//, ''));
  expect(modules).toEqual(
    expect.arrayContaining(['efivarfs.ko', 'vfat.ko', 'fat.ko', 'usbcore.ko', 'hid.ko']),
  );
  // Loop devices drive no hardware: they lie on disks that the pack's modules drive.
  const drivers = paths.filter((path) =>
    /drivers\/(net|ata|scsi|nvme|block|virtio|usb\/storage)\//.test(path),
  );
  expect(drivers.map((path) => path.replace(/.*\//, ''))).toEqual(['loop.ko']);
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
