import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { type LoaderName, loaderNames } from './loader-name.ts';

/** Where Debian's `ipxe` package puts its loaders. */
export const debianLoaderFolder = '/usr/lib/ipxe';

/**
 * Reads every loader into memory (under 2 MB together), so that what is served is what was there at start.
 * Throws `not-found` naming the Debian package when one is missing.
 */
export async function loaderFiles(folder = debianLoaderFolder): Promise<ReadonlyMap<LoaderName, Uint8Array>> {
  const read = async (name: LoaderName): Promise<[LoaderName, Uint8Array]> => {
    const path = join(folder, name);
    try {
      return [name, await readFile(path)];
    } catch (cause) {
      throw new RekindleError('not-found', `The boot loader ${path} cannot be read`, {
        cause,
        next: 'Install the Debian package ipxe: apt-get install ipxe',
        details: { path },
      });
    }
  };
  return new Map(await Promise.all(loaderNames.map(read)));
}
