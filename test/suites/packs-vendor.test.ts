import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildDriverPack } from '#driver-packs/build-driver-pack.ts';
import { checkCoverage } from '#driver-packs/check-coverage.ts';
import { type UnpackedKernel, unpackKernel } from '#driver-packs/kernel-package.ts';
import { splitModule } from '#driver-packs/module-signature.ts';
import { signPackFile } from '#driver-packs/sign-pack.ts';
import { checkStoreModules } from '#driver-packs/store-coverage.ts';
import { formatPublicKey, generateKeyPair } from '#images/format/minisign.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** Folders of a vendor, with real modules of Debian's kernel in the vendor's place. */

let directory: string;
let vendor: string;
let kernel: UnpackedKernel;
let own: Buffer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'packs-vendor-'));
  kernel = await unpackKernel({ cacheDirectory: '.rekindle/cache' });
  own = await readFile(join(kernel.modulesDirectory, 'kernel/drivers/net/ethernet/intel/e1000e/e1000e.ko'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));
beforeEach(async () => {
  vendor = await mkdtemp(join(directory, 'vendor-'));
});

const build = (preferred = true) =>
  buildDriverPack({
    passport: somePassport(),
    station: 'TEST-1',
    kernel,
    output: join(directory, 'station.pack'),
    vendorFolders: [{ path: vendor, preferred }],
  });

/** The driver under a name of its own, which is where a vendor's differs first. */
async function put(name: string, bytes: Buffer): Promise<void> {
  const renamed = Buffer.from(
    bytes.toString('latin1').replace('\0name=e1000e\0', '\0name=e1000x\0'),
    'latin1',
  );
  await writeFile(join(vendor, name), renamed);
}

const driverOf = async (preferred?: boolean) => {
  const pack = await build(preferred);
  const row = checkCoverage(somePassport(), pack.manifest).rows.find(({ id }) => id === '8086:10d3');
  return { ...row, refused: pack.refusedModules.map(({ sentence }) => sentence) };
};

test("the kernel's own module, untouched: taken, with the kernel's signature verified", async () => {
  await writeFile(join(vendor, 'e1000e.ko'), own);
  expect(await driverOf()).toMatchObject({
    module: 'e1000e',
    origin: 'vendor',
    signature: 'kernel',
    red: undefined,
    refused: [],
  });
});

test('without its signature: taken and marked; red where Secure Boot is on', async () => {
  await put('e1000x.ko', splitModule(own)?.module ?? Buffer.alloc(0));
  const { manifest } = await build();
  expect(manifest.modules.find(({ name }) => name === 'e1000x')).toMatchObject({
    origin: 'vendor',
    signature: 'none',
  });
  expect(manifest.modules.some(({ name }) => name === 'e1000e')).toBe(false);
  const secure = {
    ...somePassport(),
    firmware: { ...somePassport().firmware, secureBoot: 'enabled' as const },
  };
  expect(checkCoverage(secure, manifest).missing).toEqual([
    'Ethernet controller 8086:10d3 (0000:00:02.0) has a driver (e1000x) that is not signed, and Secure Boot is on at the station',
  ]);
});

test('one byte changed below the signature: it is not the kernel’s any more', async () => {
  await put('e1000x.ko', own);
  expect(await driverOf()).toMatchObject({ module: 'e1000x', signature: 'foreign' });
});

test('for another kernel: refused, with both kernels and what to do; the kernel’s own driver is used', async () => {
  const other = kernel.version.replace(/-\d+-/, (part) => part.replace(/\d/g, '9'));
  await put('e1000x.ko', Buffer.from(own.toString('latin1').replaceAll(kernel.version, other), 'latin1'));
  await writeFile(join(vendor, 'readme.ko'), 'not a module at all');
  const { module, origin, refused } = await driverOf();
  expect({ module, origin }).toEqual({ module: 'e1000e', origin: 'kernel' });
  expect(refused[0]).toContain(`it is built for kernel ${other}, and ${kernel.version} is the runtime's`);
  expect(refused[1]).toContain('it is no kernel module');
});

test("a folder for all stations fills gaps only: the kernel's driver is preferred", async () => {
  await put('e1000x.ko', own);
  expect(await driverOf(false)).toMatchObject({ module: 'e1000e', origin: 'kernel' });
});

test('the manifest is signed: Debian’s minisign says so, and the bytes are the same every time', async () => {
  const key = generateKeyPair();
  await writeFile(join(directory, 'site.pub'), formatPublicKey(key));
  const pack = await build();
  const sign = (output: string) =>
    signPackFile({ unsigned: pack.file.path, output, directory: 'rekindle/pack' }, pack.manifest, key);
  const [first, second] = [await sign(join(directory, 'a.img')), await sign(join(directory, 'b.img'))];
  expect(second.sha256).toBe(first.sha256);

  // As the kernel does: the compressed archive, zeros up to four bytes, the next archive.
  const tree = join(directory, 'tree');
  await mkdir(tree);
  const bytes = await readFile(first.path);
  const unpack = (input: Buffer) =>
    execFileSync('cpio', ['--quiet', '-idm', '--no-absolute-filenames'], { cwd: tree, input });
  unpack(execFileSync('zstd', ['-dcq'], { input: bytes.subarray(0, pack.file.bytes), maxBuffer: 2 ** 28 }));
  unpack(bytes.subarray(Math.ceil(pack.file.bytes / 4) * 4));
  const manifest = join(tree, 'rekindle/pack/pack.json');
  const said = execFileSync('minisign', ['-V', '-p', join(directory, 'site.pub'), '-m', manifest]).toString();
  expect(said).toContain(`rekindle driver pack TEST-1 for kernel ${kernel.version}`);
  await copyFile(`${manifest}.minisig`, join(directory, 'other.minisig'));
  await writeFile(manifest, `${await readFile(manifest, 'utf8')} `);
  expect(() =>
    execFileSync('minisign', ['-V', '-p', join(directory, 'site.pub'), '-m', manifest], { stdio: 'pipe' }),
  ).toThrow();
});

test("Debian's kernel has everything that SMB 3.1.1 and NFS 4.2 ask for", async () => {
  for (const kind of ['smb', 'nfs'] as const) {
    const rows = await checkStoreModules(kernel, kind);
    expect(rows.filter(({ state }) => state === 'missing')).toEqual([]);
  }
});
