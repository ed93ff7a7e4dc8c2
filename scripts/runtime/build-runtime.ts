import { createHash, hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeFolder } from '#base/make-folder.ts';
import type { CpioEntry } from '#driver-packs/cpio.ts';
import { type WrittenFile, writeWhole } from '#driver-packs/initrd-file.ts';
import { type UnpackedKernel, unpackKernel } from '#driver-packs/kernel-package.ts';
import type { CompressProgress } from '#driver-packs/zstd-progress.ts';
import { baseModules } from './base-modules.ts';
import { firstBootFiles } from './first-boot-files.ts';
import { compressRuntime, type RuntimeFiles } from './runtime-initrd.ts';
import { bundleRuntime, programSha256, readInit } from './runtime-program.ts';
import { buildSingleExecutable, nodeBinary } from './single-executable.ts';
import { nativeFiles, startFiles, toolFiles } from './tool-files.ts';

/** Every file of the runtime and what it is, for whoever has to prove what a station ran. */
export interface RuntimeManifest {
  readonly formatVersion: 2;
  /** Of our own part (runtime-program.ts): which version of this program the runtime is. */
  readonly programSha256: string;
  readonly kernel: { readonly version: string; readonly packageVersion: string; readonly sha256: string };
  readonly initrd: { readonly sha256: string; readonly bytes: number };
  readonly files: readonly { readonly path: string; readonly sha256: string; readonly bytes: number }[];
}

export interface BuiltRuntime {
  readonly kernel: UnpackedKernel;
  /** Path of the signed kernel image. */
  readonly vmlinuz: string;
  /** The base: no site, no driver pack. */
  readonly initrd: WrittenFile;
  readonly manifest: RuntimeManifest;
}

export interface BuildRuntimeOptions {
  readonly cacheDirectory: string;
  readonly onProgress?: (sentence: string) => void;
  readonly onCompressed?: CompressProgress;
  /** Compresses in a second instead of a minute, into an initrd that is a quarter larger. */
  readonly fast?: boolean;
  /** Program of the runtime, below the project's root. */
  readonly entry?: string;
  /** Worker threads by name, below the project's root. */
  readonly workers?: Readonly<Record<string, string>>;
  /** A chosen kernel of Debian instead of the newest one (kernel-package.ts). */
  readonly wantedKernel?: string;
  /** Asks apt for a newer kernel than the one that is in the cache. */
  readonly newestKernel?: boolean;
}

/**
 * Builds the runtime's initrd, or takes it from the cache when nothing that goes into it has changed.
 * The same input gives the same bytes.
 */
export async function buildRuntime({
  cacheDirectory,
  onProgress = () => {},
  onCompressed,
  fast = false,
  entry,
  workers,
  wantedKernel,
  newestKernel = false,
}: BuildRuntimeOptions): Promise<BuiltRuntime> {
  const directory = resolve(cacheDirectory, 'runtime');
  await makeFolder(directory);
  onProgress("fetching and unpacking Debian's signed kernel");
  const kernel = await unpackKernel({
    cacheDirectory,
    refresh: newestKernel,
    ...(wantedKernel === undefined ? {} : { wanted: wantedKernel }),
  });

  onProgress('bundling the recovery runtime');
  const program = await bundleRuntime(entry, workers);
  const start: CpioEntry[] = [
    ...skeleton,
    {
      kind: 'file',
      path: 'init',
      mode: 0o755,
      bytes: await readInit(),
    },
    ...(await startFiles()),
  ];
  const later: CpioEntry[] = [
    ...(await firstBootFiles()),
    ...(await toolFiles()),
    ...(await nativeFiles()),
    ...(await baseModules(kernel, directory)),
  ];

  const level = fast ? 3 : 19;
  const key = inputHash({ ...program, level, node: hash('sha256', await readFile(nodeBinary)), form }, [
    ...start,
    ...later,
  ]);
  const path = join(directory, `${key}.initrd`);
  const cached = await readCached(path);
  if (cached !== undefined) return { kernel, vmlinuz: kernel.vmlinuz, ...cached };

  onProgress('putting the runtime into a single executable');
  const executable: RuntimeFiles['executable'] = {
    kind: 'file',
    path: 'rekindle/recovery-runtime',
    mode: 0o755,
    bytes: await buildSingleExecutable({ ...program, workDirectory: directory }),
  };
  onProgress(`compressing the runtime${fast ? '' : ' (about a minute, once)'}`);
  const files: RuntimeFiles = { start, executable, later };
  const initrd = await writeWhole(path, await compressRuntime(files, level, onCompressed));
  const manifest: RuntimeManifest = {
    formatVersion: 2,
    programSha256: await programSha256(program),
    kernel: {
      version: kernel.version,
      packageVersion: kernel.packageVersion,
      sha256: hash('sha256', await readFile(kernel.vmlinuz)),
    },
    initrd: { sha256: initrd.sha256, bytes: initrd.bytes },
    files: [...start, executable, ...later]
      .flatMap((file) =>
        file.kind === 'file'
          ? [{ path: file.path, sha256: hash('sha256', file.bytes), bytes: file.bytes.length }]
          : [],
      )
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
  // Last: an initrd without a manifest is none.
  await writeWhole(`${path}.json`, Buffer.from(JSON.stringify(manifest, null, 1)));
  return { kernel, vmlinuz: kernel.vmlinuz, initrd, manifest };
}

/** What this program does with the input; another word here makes what was built before worthless. */
const form = 'English, no unwinding, no WebAssembly, no LIEF, no blanks; code cache; in pieces';

/** Mount points, and the names that programs expect. */
const skeleton: readonly CpioEntry[] = [
  ...['proc', 'sys', 'dev', 'run', 'tmp', 'mnt', 'root'].map(
    (path): CpioEntry => ({ kind: 'directory', path }),
  ),
  { kind: 'symlink', path: 'etc/mtab', target: '/proc/mounts' },
  { kind: 'file', path: 'etc/passwd', mode: 0o644, bytes: Buffer.from('root::0:0:root:/root:/bin/sh\n') },
  { kind: 'file', path: 'etc/group', mode: 0o644, bytes: Buffer.from('root:x:0:\ntty:x:5:\n') },
  { kind: 'file', path: 'etc/hosts', mode: 0o644, bytes: Buffer.from('127.0.0.1 localhost\n') },
];

function inputHash(program: object, files: readonly CpioEntry[]): string {
  const input = createHash('sha256').update(JSON.stringify(program));
  for (const entry of files) {
    input.update(`\0${entry.kind}\0${entry.path}\0`);
    if (entry.kind === 'symlink') input.update(entry.target);
    if (entry.kind === 'file') input.update(`${entry.mode}\0`).update(hash('sha256', entry.bytes));
  }
  return input.digest('hex').slice(0, 16);
}

/** What an earlier build left, unless it was cut short or changed since. */
async function readCached(path: string): Promise<Pick<BuiltRuntime, 'initrd' | 'manifest'> | undefined> {
  try {
    const manifest = JSON.parse(await readFile(`${path}.json`, 'utf8')) as RuntimeManifest;
    if (manifest.formatVersion !== 2) return undefined;
    const content = await readFile(path);
    if (hash('sha256', content) !== manifest.initrd.sha256) return undefined;
    return { initrd: { path, ...manifest.initrd }, manifest };
  } catch {
    return undefined;
  }
}
