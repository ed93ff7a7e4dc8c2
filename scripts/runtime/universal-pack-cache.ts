import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '#base/make-folder.ts';
import { writeWhole } from '#driver-packs/initrd-file.ts';
import type { UnpackedKernel } from '#driver-packs/kernel-package.ts';
import { type PackManifest, packManifestSchema } from '#driver-packs/pack-manifest.ts';
import { manifestBytes } from '#driver-packs/sign-pack.ts';
import type { CompressProgress } from '#driver-packs/zstd-progress.ts';
import type { SitePaths } from '#pxe-server/site/site-paths.ts';
import {
  buildUnsignedUniversalPack,
  firmwareDirectories,
  signUniversalPack,
  universalPack,
} from '#pxe-server/stations/station-pack.ts';
import { projectRoot } from './bundle.ts';

/**
 * Puts the universal pack into a site. It is the same for every site with the same kernel and firmware, and
 * takes long to compress: one that was built before from the same input is copied.
 */
export async function provideUniversalPack(
  paths: SitePaths,
  kernel: UnpackedKernel,
  cacheDirectory: string,
  onCompressed?: CompressProgress,
): Promise<PackManifest> {
  const folder = join(cacheDirectory, 'packs');
  const cached = join(folder, `${universalPack}-${await inputHash(paths, kernel)}.img`);
  await makeFolder(folder);
  // The manifest is written last: with it the pack is whole.
  if (!existsSync(`${cached}.json`)) {
    const { manifest } = await buildUnsignedUniversalPack(paths, cached, onCompressed);
    await writeWhole(`${cached}.json`, manifestBytes(manifest));
  }
  const manifest = packManifestSchema.parse(JSON.parse(await readFile(`${cached}.json`, 'utf8')));
  await signUniversalPack(paths, cached, manifest);
  return manifest;
}

/** Kernel, the code that plans and builds packs, and every firmware file by name, size and time. */
async function inputHash(paths: SitePaths, kernel: UnpackedKernel): Promise<string> {
  const hash = createHash('sha256').update(`${kernel.version} ${kernel.packageVersion}\n`);
  const source = join(projectRoot, 'driver-packs', 'src');
  for (const name of (await readdir(source, { recursive: true }))
    .filter((file) => file.endsWith('.ts'))
    .sort())
    hash.update(name).update(await readFile(join(source, name)));
  for (const directory of await firmwareDirectories(paths)) {
    const names = await readdir(directory, { recursive: true }).catch((): string[] => []);
    for (const name of names.sort()) {
      const { size, mtimeMs } = await stat(join(directory, name)).catch(() => ({ size: 0, mtimeMs: 0 }));
      hash.update(`${directory}/${name} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex').slice(0, 16);
}
