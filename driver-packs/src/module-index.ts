import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UnpackedKernel } from './kernel-package.ts';
import { matchesModalias, normaliseAlias } from './modalias.ts';
import type { ModuleSignature } from './module-signature.ts';

/** depmod's tables of one kernel, ready for planning. Module names are written with underscores. */
export interface ModuleIndex {
  /** `uname -r`. */
  readonly kernel: string;
  readonly modules: ReadonlyMap<string, IndexedModule>;
  /** By the bus before the colon of a modalias; the empty string for names without one. */
  readonly aliases: ReadonlyMap<string, readonly ModuleAlias[]>;
}

export interface IndexedModule {
  readonly name: string;
  /** Below the modules directory, e.g. kernel/drivers/ata/ahci.ko; absolute for a vendor's */
  readonly path: string;
  /** Every module it depends on, in load order. */
  readonly dependencies: readonly string[];
  /** Names or aliases that modules.softdep wants before it, as written there. */
  readonly softDependencies: readonly string[];
  /** Patterns of the devices it binds. */
  readonly aliases: readonly string[];
  /** Absent: the kernel's own. A preferred one wins over it, the other one only fills gaps. */
  readonly origin?: 'vendor' | 'vendor-preferred';
  /** Of a vendor's module; the kernel's own are signed by the kernel's key. */
  readonly signature?: ModuleSignature;
}

export interface ModuleAlias {
  readonly pattern: string;
  readonly module: string;
}

/** Text of depmod's files (man 5 modules.dep, depmod.d). */
export interface DepmodTables {
  readonly dep: string;
  readonly alias: string;
  readonly softdep: string;
}

export async function readModuleIndex(kernel: UnpackedKernel): Promise<ModuleIndex> {
  const table = (name: string) => readFile(join(kernel.modulesDirectory, `modules.${name}`), 'utf8');
  const [dep, alias, softdep] = await Promise.all([table('dep'), table('alias'), table('softdep')]);
  return parseModuleIndex(kernel.version, { dep, alias, softdep });
}

export function parseModuleIndex(kernel: string, tables: DepmodTables): ModuleIndex {
  const aliases = new Map<string, ModuleAlias[]>();
  const patterns = new Map<string, string[]>();
  for (const line of tables.alias.split('\n')) {
    const [keyword, written, module] = line.split(' ');
    if (keyword !== 'alias' || written === undefined || module === undefined) continue;
    const pattern = normaliseAlias(written);
    append(aliases, busOf(pattern), { pattern, module });
    append(patterns, module, pattern);
  }

  const softDependencies = new Map<string, string[]>();
  for (const line of tables.softdep.split('\n')) {
    const [keyword, module, ...rest] = line.split(' ');
    if (keyword !== 'softdep' || module === undefined) continue;
    // cifs and others name theirs without "pre:"; they mean the same, and fail without them.
    let before = true;
    for (const word of rest) {
      if (word === 'pre:' || word === 'post:') before = word === 'pre:';
      else if (before && word !== '') append(softDependencies, normaliseAlias(module), word);
    }
  }

  const modules = new Map<string, IndexedModule>();
  for (const line of tables.dep.split('\n')) {
    const [path, needs = ''] = line.split(':');
    if (path === undefined || path === '') continue;
    const name = moduleName(path);
    modules.set(name, {
      name,
      path,
      // depmod writes the deepest dependency last.
      dependencies: needs.trim().split(' ').filter(Boolean).map(moduleName).reverse(),
      softDependencies: softDependencies.get(name) ?? [],
      aliases: patterns.get(name) ?? [],
    });
  }
  return { kernel, modules, aliases };
}

/**
 * Modules that bind a device, those that name its vendor before those that take a whole class. A vendor's module
 * stands beside no other: it is the station's own choice, or it fills a gap of the kernel.
 */
export function modulesForModalias(index: ModuleIndex, modalias: string): string[] {
  const wanted = normaliseAlias(modalias);
  const matching = (index.aliases.get(busOf(wanted)) ?? []).filter(({ pattern }) =>
    matchesModalias(pattern, wanted),
  );
  const specific = matching.filter(({ pattern }) => !/^\w+:v\*/.test(pattern));
  const names = [...new Set([...specific, ...matching].map(({ module }) => module))];
  const from = (origin: IndexedModule['origin']) =>
    names.filter((name) => index.modules.get(name)?.origin === origin);
  const preferred = from('vendor-preferred');
  if (preferred.length > 0) return preferred;
  const own = from(undefined);
  return own.length > 0 ? own : names;
}

/**
 * The named modules with all that they need, in load order. A soft dependency that this kernel has built
 * in, or does not have, is left out.
 */
export function inLoadOrder(index: ModuleIndex, names: readonly string[]): IndexedModule[] {
  const order: IndexedModule[] = [];
  const visited = new Set<string>();
  const visit = (name: string) => {
    const module = index.modules.get(name);
    if (module === undefined || visited.has(name)) return;
    visited.add(name);
    for (const needed of neededBy(index, module)) visit(needed);
    order.push(module);
  };
  for (const name of names) visit(name);
  return order;
}

/** Direct needs of a module: dependencies and resolved soft dependencies. */
export function neededBy(index: ModuleIndex, module: IndexedModule): string[] {
  const soft = module.softDependencies.flatMap((written) => {
    const name = normaliseAlias(written);
    return index.modules.has(name) ? [name] : modulesForModalias(index, name);
  });
  return [...new Set([...module.dependencies, ...soft])].filter((name) => name !== module.name);
}

/** `kernel/drivers/usb/storage/usb-storage.ko` -> `usb_storage`. */
export function moduleName(path: string): string {
  return path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.ko$/, '')
    .replaceAll('-', '_');
}

function busOf(pattern: string): string {
  return pattern.slice(0, Math.max(0, pattern.indexOf(':')));
}

function append<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
