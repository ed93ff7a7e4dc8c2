import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UnpackedKernel } from './kernel-package.ts';
import { type ModuleIndex, modulesForModalias, readModuleIndex } from './module-index.ts';
import { planSharePack, type ShareKind, shareNeeds } from './share-pack.ts';

/** One thing that mounting the site's share needs. */
export interface StoreRow {
  /** A module or the name of a cipher, as the file system asks for it. */
  readonly need: string;
  /** Modules that give it; empty: built into the kernel, or missing. */
  readonly modules: readonly string[];
  readonly state: 'module' | 'built-in' | 'missing';
}

/** What mounts the site's kind of share, the ciphers of SMB included, in the kernel that is served. */
export async function checkStoreModules(kernel: UnpackedKernel, kind: ShareKind): Promise<StoreRow[]> {
  const table = (name: string) => readFile(join(kernel.modulesDirectory, name), 'utf8').catch(() => '');
  const [index, builtin, modinfo] = await Promise.all([
    readModuleIndex(kernel),
    table('modules.builtin'),
    table('modules.builtin.modinfo'),
  ]);
  return planStoreRows(kind, index, parseBuiltin(builtin, modinfo));
}

export function planStoreRows(kind: ShareKind, index: ModuleIndex, builtin: ReadonlySet<string>): StoreRow[] {
  const inPack = new Set(planSharePack([kind], index).modules.map(({ name }) => name));
  return shareNeeds(kind).map((need): StoreRow => {
    const giving = index.modules.has(need) ? [need] : modulesForModalias(index, need);
    const modules = giving.filter((name) => inPack.has(name));
    if (modules.length > 0) return { need, modules, state: 'module' };
    return { need, modules: [], state: builtin.has(need) ? 'built-in' : 'missing' };
  });
}

/** Names and aliases of what is in the kernel itself (kbuild's modules.builtin and modules.builtin.modinfo). */
export function parseBuiltin(builtin: string, modinfo: string): Set<string> {
  const names = builtin.split('\n').map((path) =>
    path
      .slice(path.lastIndexOf('/') + 1)
      .replace(/\.ko$/, '')
      .replaceAll('-', '_'),
  );
  const aliases = modinfo.split('\0').flatMap((entry) => /^\w+\.alias=(.*)$/.exec(entry)?.[1] ?? []);
  return new Set([...names, ...aliases].filter((name) => name !== ''));
}
