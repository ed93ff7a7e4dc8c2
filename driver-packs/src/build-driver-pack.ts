import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { type CpioEntry, formatCpio } from './cpio.ts';
import { findFirmware, type MissingFirmware } from './firmware-files.ts';
import { compressInitrd, type WrittenFile, writeWhole } from './initrd-file.ts';
import type { UnpackedKernel } from './kernel-package.ts';
import { type IndexedModule, type ModuleIndex, neededBy, readModuleIndex } from './module-index.ts';
import type { PackManifest, PackModule } from './pack-manifest.ts';
import { packManifestSchema } from './pack-manifest.ts';
import { type DriverPackPlan, planDriverPack } from './plan-driver-pack.ts';
import type { RequiredDevice } from './required-devices.ts';
import { planSharePack, type ShareKind } from './share-pack.ts';
import { manifestBytes } from './sign-pack.ts';
import { planUniversalPack } from './universal-pack.ts';
import { type RefusedModule, readVendorFolder, withVendorModules } from './vendor-folder.ts';
import type { CompressProgress } from './zstd-progress.ts';

/** Where the runtime finds its packs: the station's, and the site's for the share that holds the images. */
export const packDirectory = 'rekindle/pack';
export const sharePackDirectory = 'rekindle/share-pack';

export interface BuiltDriverPack {
  readonly manifest: PackManifest;
  readonly file: WrittenFile;
  /** Devices of the passport that nothing in this kernel binds: the pack is red. */
  readonly uncovered: readonly RequiredDevice[];
  /** Firmware that modules may ask for and that no firmware directory has. */
  readonly missingFirmware: readonly MissingFirmware[];
  /** Files of the vendor folders that are not used, and why. */
  readonly refusedModules: readonly RefusedModule[];
}

interface BuildOptions {
  readonly kernel: UnpackedKernel;
  /** Path of the pack. */
  readonly output: string;
  /** Searched in this order, e.g. `lib/firmware` of unpacked firmware packages. */
  readonly firmwareDirectories?: readonly string[];
  readonly onCompressed?: CompressProgress | undefined;
}

/** Builds the pack of one station: a second initrd that holds what its recovery needs and no more. */
export async function buildDriverPack({
  passport,
  station,
  also = [],
  vendorFolders = [],
  ...options
}: BuildOptions & {
  readonly passport: HardwarePassport;
  readonly station: string;
  /** Folders with prebuilt modules; those of a preferred one win over the kernel's own. */
  readonly vendorFolders?: readonly { readonly path: string; readonly preferred: boolean }[];
  /** Modules that no device of the station asks for, by name: those of the medium that it boots from. */
  readonly also?: readonly string[];
}): Promise<BuiltDriverPack> {
  let index = await readModuleIndex(options.kernel);
  const refused: RefusedModule[] = [];
  for (const { path, preferred } of vendorFolders) {
    const folder = await readVendorFolder(path, options.kernel, index, preferred);
    refused.push(...folder.refused);
    index = withVendorModules(index, folder.modules);
  }
  const plan = planDriverPack(passport, index, also);
  const pack = await writePack(plan, index, { station, load: 'all' }, options);
  return { ...pack, refusedModules: refused };
}

/** Builds the pack of the enrolment window: drivers for what an unknown machine may have. */
export async function buildUniversalPack(options: BuildOptions): Promise<BuiltDriverPack> {
  const index = await readModuleIndex(options.kernel);
  return await writePack(planUniversalPack(index), index, { station: null, load: 'matching' }, options);
}

/** The modules that mount the site's share, as entries of the site's part of the runtime. */
export async function sharePackEntries(
  kernel: UnpackedKernel,
  kinds: readonly ShareKind[],
): Promise<CpioEntry[]> {
  const index = await readModuleIndex(kernel);
  const pack = { station: null, load: 'all' } as const;
  const { entries } = await packEntries(sharePackDirectory, planSharePack(kinds, index), index, pack, kernel);
  return entries;
}

type PackKind = Pick<PackManifest, 'station' | 'load'>;

async function writePack(
  plan: DriverPackPlan,
  index: ModuleIndex,
  kind: PackKind,
  { kernel, output, firmwareDirectories = [], onCompressed }: BuildOptions,
): Promise<BuiltDriverPack> {
  const pack = await packEntries(packDirectory, plan, index, kind, kernel, firmwareDirectories);
  const file = await writeWhole(output, await compressInitrd(formatCpio(pack.entries), 19, onCompressed));
  const { manifest, missingFirmware } = pack;
  return { manifest, file, uncovered: plan.uncovered, missingFirmware, refusedModules: [] };
}

async function packEntries(
  directory: string,
  plan: DriverPackPlan,
  index: ModuleIndex,
  kind: PackKind,
  kernel: UnpackedKernel,
  firmwareDirectories: readonly string[] = [],
): Promise<{
  readonly entries: CpioEntry[];
  readonly manifest: PackManifest;
  readonly missingFirmware: readonly MissingFirmware[];
}> {
  const entries: CpioEntry[] = [];
  const inPack = new Set(plan.modules.map(({ name }) => name));
  const modules: PackModule[] = [];
  for (const module of plan.modules) {
    // As it is: stripping would take the signature off, and Secure Boot would refuse the module.
    const bytes = await readFile(resolve(kernel.modulesDirectory, module.path));
    const file = `modules/${module.path.slice(module.path.lastIndexOf('/') + 1)}`;
    entries.push({ kind: 'file', path: `${directory}/${file}`, mode: 0o644, bytes });
    modules.push({
      name: module.name,
      file,
      sha256: hash('sha256', bytes),
      bytes: bytes.length,
      aliases: [...module.aliases].sort(),
      needs: neededBy(index, module).filter((name) => inPack.has(name)),
      origin: module.origin === undefined ? 'kernel' : 'vendor',
      signature: module.signature ?? 'kernel',
      firmware: [],
    });
  }
  const firmware = await findFirmware(absolutePaths(plan.modules, kernel), firmwareDirectories);
  for (const module of modules) module.firmware = firmware.wanted.get(module.name) ?? [];
  for (const { name, bytes } of firmware.found) {
    entries.push({ kind: 'file', path: `${directory}/firmware/${name}`, mode: 0o644, bytes });
  }
  const manifest = packManifestSchema.parse({
    formatVersion: 1,
    ...kind,
    kernel: plan.kernel,
    modules,
    firmware: firmware.found.map(({ name, bytes }) => ({
      file: `firmware/${name}`,
      sha256: hash('sha256', bytes),
      bytes: bytes.length,
    })),
    covers: plan.covers,
  } satisfies PackManifest);
  entries.push({
    kind: 'file',
    path: `${directory}/pack.json`,
    mode: 0o644,
    bytes: manifestBytes(manifest),
  });
  return { entries, manifest, missingFirmware: firmware.missing };
}

function absolutePaths(modules: readonly IndexedModule[], kernel: UnpackedKernel): string[] {
  return modules.map(({ path }) => resolve(kernel.modulesDirectory, path));
}
