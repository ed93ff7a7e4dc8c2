import { readFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import { debianLoaders, type LoaderName, loaderNames } from './loader-name.ts';

/**
 * Reads every loader into memory (8 MB together), so that what is served is what was there at start.
 * Throws `not-found` naming the Debian package when one is missing.
 */
export async function loaderFiles(
  files: Readonly<Record<LoaderName, readonly [path: string, debianPackage: string]>> = debianLoaders,
): Promise<ReadonlyMap<LoaderName, Uint8Array>> {
  const read = async (name: LoaderName): Promise<[LoaderName, Uint8Array]> => {
    const [path, debianPackage] = files[name];
    try {
      return [name, await readFile(path)];
    } catch (cause) {
      throw new RekindleError('not-found', `The boot loader ${path} cannot be read`, {
        cause,
        next: `Install the Debian package ${debianPackage}: apt-get install ${debianPackage}`,
        details: { path },
      });
    }
  };
  return new Map(await Promise.all(loaderNames.map(read)));
}
