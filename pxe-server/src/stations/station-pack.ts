import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import {
  type BuiltDriverPack,
  buildDriverPack,
  buildUniversalPack,
} from '#driver-packs/build-driver-pack.ts';
import { type PackManifest, packManifestSchema } from '#driver-packs/pack-manifest.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { writeFileDurably } from '#images/stores/durable-write.ts';
import { readServedKernel } from '../site/served-kernel.ts';
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

/** Firmware files that a site keeps itself, then the machine's installed firmware packages. */
export function firmwareDirectories(paths: SitePaths): string[] {
  return [join(paths.folder, 'firmware'), '/lib/firmware'];
}

/** Drivers of the kernel that the site serves: those of another one would not load. */
export async function buildStationPack(
  paths: SitePaths,
  station: string,
  passport: HardwarePassport,
): Promise<BuiltDriverPack> {
  const kernel = await readServedKernel(paths);
  const output = packFile(paths, station);
  return recorded(
    output,
    await buildDriverPack({
      kernel,
      output,
      firmwareDirectories: firmwareDirectories(paths),
      station,
      passport,
    }),
  );
}

/** The station's pack and the modules that read the medium it boots from, in a file of its own. */
export async function buildMediumPack(
  paths: SitePaths,
  { name, passport }: Station,
  output: string,
): Promise<BuiltDriverPack> {
  return buildDriverPack({
    kernel: await readServedKernel(paths),
    output,
    firmwareDirectories: firmwareDirectories(paths),
    station: name,
    passport,
    also: mediumModules,
  });
}

/** USB sticks (two protocols), CD drives, and the file system on both. */
const mediumModules: readonly string[] = ['usb_storage', 'uas', 'sr_mod', 'isofs'];

export async function buildSiteUniversalPack(
  paths: SitePaths,
  output = packFile(paths, universalPack),
): Promise<BuiltDriverPack> {
  const kernel = await readServedKernel(paths);
  return recorded(
    output,
    await buildUniversalPack({ kernel, output, firmwareDirectories: firmwareDirectories(paths) }),
  );
}

/** The pack's manifest beside it, so that what is inside can be asked without unpacking. */
async function recorded(output: string, pack: BuiltDriverPack): Promise<BuiltDriverPack> {
  await writeFileDurably(`${output}.json`, Buffer.from(`${JSON.stringify(pack.manifest, null, 1)}\n`));
  return pack;
}

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
