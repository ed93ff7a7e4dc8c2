import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { makeFolder } from '#base/make-folder.ts';
import { runTool } from '#base/run-tool.ts';
import { type DebianPackage, downloadPackage, findPackage } from './debian-package.ts';

const dpkgDeb = { command: 'dpkg-deb', debianPackage: 'dpkg' };

export interface UnpackedFirmware extends DebianPackage {
  /** With the files as modules name them below it. */
  readonly directory: string;
}

/**
 * Fetches a firmware package of Debian (`firmware-realtek`, `firmware-bnx2=20230210-5`) and unpacks it into a folder of
 * its own below `folder`; another version of it that is there goes.
 * @throws RekindleError `usage`: no such package or version, or it holds no firmware
 */
export async function unpackFirmware(folder: string, chosen: string): Promise<UnpackedFirmware> {
  const [name = '', version] = chosen.split('=');
  const wanted = await findPackage(name, version);
  await makeFolder(folder);
  const partial = await mkdtemp(join(folder, '.unpacking-'));
  try {
    const archive = await downloadPackage(partial, wanted);
    const tree = join(partial, 'tree');
    await runTool(`unpacking ${archive}`, dpkgDeb, ['-x', archive, tree]);
    const below = await firstWithEntries(tree, ['lib/firmware', 'usr/lib/firmware']);
    if (below === undefined)
      throw new RekindleError('usage', `Package ${name} holds no firmware`, {
        next: 'Debian names them firmware-…: apt-cache search firmware',
      });
    for (const old of await readdir(folder))
      if (old.startsWith(`${name}_`)) await rm(join(folder, old), { recursive: true, force: true });
    const directory = join(folder, `${name}_${wanted.packageVersion.replaceAll(':', '%3a')}`);
    await rename(join(tree, below), directory);
    return { ...wanted, directory };
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Folders of the packages that are there, in the order of their names. */
export async function firmwarePackageFolders(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names
    .filter((name) => name.includes('_'))
    .sort()
    .map((name) => join(folder, name));
}

async function firstWithEntries(tree: string, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if ((await readdir(join(tree, path)).catch(() => [])).length > 0) return path;
  }
  return undefined;
}
