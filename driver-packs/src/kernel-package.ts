import { access, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { makeFolder } from '#base/make-folder.ts';
import { callTool, runTool } from '#base/run-tool.ts';
import { type DebianPackage, downloadPackage, findPackage, updateLists } from './debian-package.ts';
import { writeWhole } from './initrd-file.ts';

/** Debian's signed kernel, unpacked below the cache and not installed. */
export interface UnpackedKernel {
  /** As `uname -r` says it, e.g. 6.1.0-56-amd64. */
  readonly version: string;
  /** Debian's version of the package, e.g. 6.1.192-2. */
  readonly packageVersion: string;
  /** Path of the signed kernel image. */
  readonly vmlinuz: string;
  /** `lib/modules/<version>` with plain `.ko` files and depmod's tables. */
  readonly modulesDirectory: string;
}

const metaPackage = 'linux-image-amd64';
/** In the cache: the kernel that is taken when none is chosen. */
const currentRecord = 'current.json';

const aptCache = { command: 'apt-cache', debianPackage: 'apt' };
const dpkgDeb = { command: 'dpkg-deb', debianPackage: 'dpkg' };
const depmod = { command: 'depmod', debianPackage: 'kmod' };
const xz = { command: 'xz', debianPackage: 'xz-utils' };
const zstd = { command: 'zstd', debianPackage: 'zstd' };

/**
 * Fetches Debian's signed kernel with apt, unpacks it and indexes its modules. What is in the cache is
 * used as it is; `refresh` asks apt whether there is a newer one.
 * @throws RekindleError `usage` when apt knows or reaches no kernel package.
 */
export async function unpackKernel({
  cacheDirectory,
  refresh = false,
  wanted: chosen,
}: {
  readonly cacheDirectory: string;
  readonly refresh?: boolean;
  /** A kernel instead of the newest one: `6.1.0-50-amd64`, or `6.1.0-50-amd64=6.1.176-1` for a package version. */
  readonly wanted?: string;
}): Promise<UnpackedKernel> {
  const directory = resolve(cacheDirectory, 'kernel');
  await makeFolder(directory);
  if (chosen !== undefined) return unpackChosen(directory, chosen);
  const current = join(directory, currentRecord);
  const cached = await readCurrent(current);
  if (cached !== undefined && !refresh) return cached;

  const wanted = await newestDebianPackage();
  if (cached?.packageVersion === wanted.packageVersion) return cached;
  const kernel = await unpack(directory, wanted);
  await writeWhole(current, Buffer.from(JSON.stringify(kernel, null, 2)));
  return kernel;
}

async function unpackChosen(directory: string, chosen: string): Promise<UnpackedKernel> {
  const [version = '', packageVersion] = chosen.split('=');
  const wanted = await findPackage(`linux-image-${version}`, packageVersion);
  const record = join(directory, `${version}_${wanted.packageVersion}.json`);
  for (const known of [record, join(directory, currentRecord)]) {
    const cached = await readCurrent(known);
    if (cached?.version === version && cached.packageVersion === wanted.packageVersion) return cached;
  }
  const kernel = await unpack(directory, wanted);
  await writeWhole(record, Buffer.from(JSON.stringify(kernel, null, 2)));
  return kernel;
}

async function readCurrent(file: string): Promise<UnpackedKernel | undefined> {
  try {
    const kernel = JSON.parse(await readFile(file, 'utf8')) as UnpackedKernel;
    return (await isComplete(kernel)) ? kernel : undefined;
  } catch {
    // Nothing there, or nothing that can be read: both mean fetching anew.
    return undefined;
  }
}

/** False as well when somebody emptied the cache in part. */
async function isComplete({ vmlinuz, modulesDirectory }: UnpackedKernel): Promise<boolean> {
  return (await exists(vmlinuz)) && (await exists(join(modulesDirectory, 'modules.dep')));
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** The package that the meta package depends on; one `apt-get update` when apt has no lists yet. */
async function newestDebianPackage(): Promise<DebianPackage> {
  for (const attempt of ['with the lists that are there', 'after apt-get update']) {
    const question = ['show', '--no-all-versions', metaPackage];
    const { status, stdout } = await callTool('finding the newest kernel', aptCache, question);
    const found = status === 0 ? parseKernelDependency(stdout.toString()) : undefined;
    if (found !== undefined) return found;
    if (attempt === 'with the lists that are there') await updateLists();
  }
  throw new RekindleError('usage', `apt knows no package ${metaPackage}`, {
    next: 'check /etc/apt/sources.list, then run apt-get update as root',
  });
}

/** Reads `Depends: linux-image-6.1.0-56-amd64 (= 6.1.192-2)` out of `apt-cache show`. */
export function parseKernelDependency(description: string): DebianPackage | undefined {
  const match = /^Depends:.*?\b(linux-image-\S+-amd64) \(= ([^)]+)\)/m.exec(description);
  const [, name, packageVersion] = match ?? [];
  return name === undefined || packageVersion === undefined ? undefined : { name, packageVersion };
}

async function unpack(directory: string, wanted: DebianPackage): Promise<UnpackedKernel> {
  const partial = await mkdtemp(join(directory, 'unpacking-'));
  try {
    const archive = await downloadPackage(partial, wanted);
    const tree = join(partial, 'tree');
    await runTool(`unpacking ${archive}`, dpkgDeb, ['-x', archive, tree]);
    const image = (await readdir(join(tree, 'boot'))).find((name) => name.startsWith('vmlinuz-'));
    if (image === undefined) {
      throw new RekindleError('unexpected', `package ${wanted.name} holds no /boot/vmlinuz-*`);
    }
    const version = image.slice('vmlinuz-'.length);
    await mergeUsr(tree);
    await decompressModules(join(tree, 'lib/modules', version));
    await runTool('indexing the kernel’s modules', depmod, ['-b', tree, version]);

    const target = join(directory, `${version}_${wanted.packageVersion}`);
    const kernel: UnpackedKernel = {
      version,
      packageVersion: wanted.packageVersion,
      vmlinuz: join(target, 'boot', image),
      modulesDirectory: join(target, 'lib/modules', version),
    };
    // Another process may have been quicker, and somebody may be reading what it unpacked.
    if (await isComplete(kernel)) return kernel;
    await rm(target, { recursive: true, force: true });
    await rename(tree, target);
    return kernel;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Debian 13 ships modules below /usr/lib; depmod looks below /lib. */
async function mergeUsr(tree: string): Promise<void> {
  if (!(await exists(join(tree, 'lib/modules')))) await symlink('usr/lib', join(tree, 'lib'));
}

/** Debian 13 compresses modules; insmod and the module index want plain files. */
async function decompressModules(directory: string): Promise<void> {
  const files = (await readdir(directory, { recursive: true })).map((file) => join(directory, file));
  const packed = {
    xz: files.filter((f) => f.endsWith('.ko.xz')),
    zstd: files.filter((f) => f.endsWith('.ko.zst')),
  };
  const doing = 'decompressing the kernel’s modules';
  for (const batch of batches(packed.xz)) await runTool(doing, xz, ['-d', '-T0', ...batch]);
  for (const batch of batches(packed.zstd)) await runTool(doing, zstd, ['-q', '-d', '--rm', ...batch]);
}

/** Groups that fit a command line. */
function* batches(files: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < files.length; start += 500) yield files.slice(start, start + 500);
}
