import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import {
  type BuiltDriverPack,
  buildDriverPack,
  buildUniversalPack,
  packDirectory,
} from '#driver-packs/build-driver-pack.ts';
import { firmwarePackageFolders } from '#driver-packs/firmware-package.ts';
import type { WrittenFile } from '#driver-packs/initrd-file.ts';
import { type PackManifest, packManifestSchema } from '#driver-packs/pack-manifest.ts';
import { manifestBytes, signPackFile } from '#driver-packs/sign-pack.ts';
import type { CompressProgress } from '#driver-packs/zstd-progress.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { writeFileDurably } from '#images/stores/durable-write.ts';
import { readServedKernel } from '../site/served-kernel.ts';
import { readSigningKey } from '../site/site-keys.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { Station } from './station.ts';

/** Driver packs below the site's `packs` folder: one a station, and one for machines not enrolled yet. */
export const universalPack = 'universal';

export function packFile(paths: SitePaths, name: string): string {
  return join(paths.packs, `${name}.img`);
}

export function hasPack(paths: SitePaths, name: string): boolean {
  return existsSync(packFile(paths, name));
}

/** Debian packages that were fetched for this site (`rekindle driver-pack add-firmware`). */
export const firmwarePackages = (paths: SitePaths): string => join(paths.folder, 'firmware-packages');

/** Firmware files that a site keeps itself, its firmware packages, then those installed on this computer. */
export async function firmwareDirectories(paths: SitePaths): Promise<string[]> {
  const packages = await firmwarePackageFolders(firmwarePackages(paths));
  return [join(paths.folder, 'firmware'), ...packages, '/lib/firmware'];
}

/**
 * Prebuilt modules of vendors: `drivers/` fills gaps of the kernel for every station, `drivers/<STATION>/` is that
 * station's own choice and wins over the kernel's modules.
 */
export function vendorFolders(paths: SitePaths, station: string) {
  const folder = join(paths.folder, 'drivers');
  return [
    { path: folder, preferred: false },
    { path: join(folder, station), preferred: true },
  ];
}

/** Drivers of the kernel that the site serves: those of another one would not load. */
export async function buildStationPack(
  paths: SitePaths,
  station: string,
  passport: HardwarePassport,
  onCompressed?: CompressProgress,
): Promise<BuiltDriverPack> {
  const kernel = await readServedKernel(paths);
  const output = packFile(paths, station);
  const pack = await buildDriverPack({
    kernel,
    output,
    firmwareDirectories: await firmwareDirectories(paths),
    vendorFolders: vendorFolders(paths, station),
    station,
    passport,
    onCompressed,
  });
  return recorded(paths, output, pack);
}

/** The station's pack and the modules that read the medium it boots from, in a file of its own. */
export async function buildMediumPack(
  paths: SitePaths,
  { name, passport }: Station,
  output: string,
): Promise<BuiltDriverPack> {
  const pack = await buildDriverPack({
    kernel: await readServedKernel(paths),
    output,
    firmwareDirectories: await firmwareDirectories(paths),
    vendorFolders: vendorFolders(paths, name),
    station: name,
    passport,
    also: mediumModules,
  });
  return { ...pack, file: await signed(paths, output, output, pack.manifest) };
}

/** USB sticks (two protocols), CD drives, and the file system on both. */
const mediumModules: readonly string[] = ['usb_storage', 'uas', 'sr_mod', 'isofs'];

export async function buildSiteUniversalPack(
  paths: SitePaths,
  onCompressed?: CompressProgress,
): Promise<BuiltDriverPack> {
  const output = packFile(paths, universalPack);
  const pack = await buildUnsignedUniversalPack(paths, output, onCompressed);
  return recorded(paths, output, pack);
}

/** The same for every site with this kernel and firmware; each signs its own copy. */
export async function buildUnsignedUniversalPack(
  paths: SitePaths,
  output: string,
  onCompressed?: CompressProgress,
): Promise<BuiltDriverPack> {
  return buildUniversalPack({
    kernel: await readServedKernel(paths),
    output,
    firmwareDirectories: await firmwareDirectories(paths),
    onCompressed,
  });
}

/** Puts a universal pack that was built before into the site. */
export async function signUniversalPack(
  paths: SitePaths,
  unsigned: string,
  manifest: PackManifest,
): Promise<void> {
  const output = packFile(paths, universalPack);
  await signed(paths, unsigned, output, manifest);
  await writeManifest(output, manifest);
}

/** Signed, and the manifest beside it, so that what is inside can be asked without unpacking. */
async function recorded(paths: SitePaths, output: string, pack: BuiltDriverPack): Promise<BuiltDriverPack> {
  const file = await signed(paths, output, output, pack.manifest);
  await writeManifest(output, pack.manifest);
  return { ...pack, file };
}

async function signed(
  paths: SitePaths,
  unsigned: string,
  output: string,
  manifest: PackManifest,
): Promise<WrittenFile> {
  const key = await readSigningKey(paths);
  return signPackFile({ unsigned, output, directory: packDirectory }, manifest, key);
}

const writeManifest = (output: string, manifest: PackManifest): Promise<void> =>
  writeFileDurably(`${output}.json`, manifestBytes(manifest));

/** @throws RekindleError `not-found` when there is no such pack */
export async function readPackManifest(paths: SitePaths, name: string): Promise<PackManifest> {
  try {
    return packManifestSchema.parse(JSON.parse(await readFile(`${packFile(paths, name)}.json`, 'utf8')));
  } catch (cause) {
    throw new RekindleError('not-found', `Reading the driver pack of ${name}`, {
      cause,
      next: `Build it: rekindle driver-pack build ${name}`,
    });
  }
}
