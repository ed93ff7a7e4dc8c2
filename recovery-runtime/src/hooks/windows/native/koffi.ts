import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import sea from 'node:sea';
import type * as Koffi from 'koffi';
import { RekindleError } from '#base/errors.ts';

/** Where the compiled runtime has koffi's native part: a single executable cannot carry a shared library. */
export const koffiInRuntime = '/lib/koffi.node';

let loaded: typeof Koffi | undefined;

/**
 * C libraries called from Node. koffi's own JavaScript looks for its native part below node_modules, which a single
 * executable does not have; the native part alone is the whole interface.
 * @throws RekindleError `usage`: it is missing, or made for another Node
 */
export function koffi(): typeof Koffi {
  if (loaded !== undefined) return loaded;
  const file = sea.isSea() ? koffiInRuntime : koffiFile();
  const module = { exports: {} };
  try {
    process.dlopen(module, file);
  } catch (cause) {
    throw new RekindleError('usage', `loading ${file}, which calls C libraries`, {
      cause,
      next: 'npm ci, then build the runtime again (rekindle runtime build).',
    });
  }
  loaded = module.exports as typeof Koffi;
  return loaded;
}

/** Of the npm package for this processor. */
export function koffiFile(): string {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve('@koromix/koffi-linux-x64/package.json')), 'linux_x64/koffi.node');
}

/** @throws RekindleError `usage`: the library's Debian package is not installed */
export function loadLibrary(name: string, debianPackage: string): Koffi.LibraryHandle {
  try {
    return koffi().load(name);
  } catch (cause) {
    throw new RekindleError('usage', `loading the library ${name}`, {
      cause,
      next: `Install the Debian package ${debianPackage}: apt-get install ${debianPackage}`,
    });
  }
}

/** Name of the last C error: ENOENT; its number where it has none. */
export function lastErrorName(): string {
  const number = koffi().errno();
  const name = Object.entries(koffi().os.errno).find(([, value]) => value === number)?.[0];
  return name ?? `error ${number}`;
}
