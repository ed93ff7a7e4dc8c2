import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import { kernelKeyFile } from './kernel-keys.ts';
import type { UnpackedKernel } from './kernel-package.ts';
import { normaliseAlias } from './modalias.ts';
import { type IndexedModule, type ModuleIndex, moduleName } from './module-index.ts';
import { checkModuleSignature } from './module-signature.ts';

const modinfo = { command: 'modinfo', debianPackage: 'kmod' };

/** What a module says about itself (its .modinfo section). */
export interface ModuleFacts {
  readonly name: string;
  readonly path: string;
  readonly vermagic: string;
  readonly depends: readonly string[];
  readonly softDependencies: readonly string[];
  readonly aliases: readonly string[];
}

/** A file of the folder that cannot be used; `sentence` says why and what to do. */
export interface RefusedModule {
  readonly path: string;
  readonly sentence: string;
}

export interface VendorFolder {
  readonly modules: readonly IndexedModule[];
  readonly refused: readonly RefusedModule[];
}

/**
 * Prebuilt modules of a vendor, `*.ko` in a folder. One for another kernel is refused here: the machine's kernel would
 * refuse it in the night of the failure. An unsigned one is taken, and marked: only Secure Boot minds.
 * @param preferred the modules are for one station and win over the kernel's own for the same device
 */
export async function readVendorFolder(
  folder: string,
  kernel: UnpackedKernel,
  index: ModuleIndex,
  preferred: boolean,
): Promise<VendorFolder> {
  const names = await readdir(folder).catch((cause: unknown) => {
    if (isErrno(cause, 'ENOENT')) return [];
    throw new RekindleError('usage', `Reading the folder of vendor drivers ${folder}`, { cause });
  });
  const paths = names
    .filter((name) => name.endsWith('.ko'))
    .sort()
    .map((name) => join(folder, name));
  if (paths.length === 0) return { modules: [], refused: [] };
  const keys = await kernelKeyFile(kernel);
  const vermagic = await vermagicOf(kernel, index);
  const modules: IndexedModule[] = [];
  const refused: RefusedModule[] = [];
  const described = await Promise.all(paths.map(describe));
  const own = new Set(described.flatMap((facts) => (facts === undefined ? [] : [facts.name])));
  for (const [at, facts] of described.entries()) {
    const path = paths[at] as string;
    const why =
      facts === undefined
        ? 'it is no kernel module'
        : (judgeVermagic(facts.vermagic, vermagic) ?? judgeNeeds(facts, own, index));
    if (why !== undefined || facts === undefined) {
      refused.push({ path, sentence: `${path} is not used: ${why}.` });
      continue;
    }
    modules.push({
      name: facts.name,
      path,
      dependencies: withDependencies(facts, described, index),
      softDependencies: facts.softDependencies,
      aliases: facts.aliases.map(normaliseAlias),
      origin: preferred ? 'vendor-preferred' : 'vendor',
      signature: await checkModuleSignature(await readFile(path), keys),
    });
  }
  return { modules, refused };
}

/** The index of the kernel and these modules; one of the same name replaces the kernel's own. */
export function withVendorModules(index: ModuleIndex, added: readonly IndexedModule[]): ModuleIndex {
  const modules = new Map(index.modules);
  const aliases = new Map([...index.aliases].map(([bus, list]) => [bus, [...list]]));
  for (const module of added) {
    if (modules.has(module.name))
      for (const [bus, list] of aliases)
        aliases.set(
          bus,
          list.filter((alias) => alias.module !== module.name),
        );
    modules.set(module.name, module);
    for (const pattern of module.aliases) {
      const bus = pattern.slice(0, Math.max(0, pattern.indexOf(':')));
      aliases.set(bus, [...(aliases.get(bus) ?? []), { pattern, module: module.name }]);
    }
  }
  return { kernel: index.kernel, modules, aliases };
}

/** Why the kernel would refuse a module with that magic, or undefined. Pure. */
export function judgeVermagic(module: string, kernel: string): string | undefined {
  const words = (text: string) => text.trim().split(/\s+/);
  const [release = '', ...flags] = words(module);
  const [kernelRelease = '', ...kernelFlags] = words(kernel);
  if (release === '') return 'it does not say which kernel it is for';
  if (release !== kernelRelease) {
    return `it is built for kernel ${release}, and ${kernelRelease} is the runtime's; ask the vendor for that one, or build the runtime with the other kernel (rekindle runtime build --kernel ${release})`;
  }
  if (flags.join(' ') === kernelFlags.join(' ')) return undefined;
  return `it is built with "${flags.join(' ')}", the kernel with "${kernelFlags.join(' ')}"`;
}

function judgeNeeds(facts: ModuleFacts, own: ReadonlySet<string>, index: ModuleIndex): string | undefined {
  const absent = facts.depends.filter((name) => !own.has(name) && !index.modules.has(name));
  return absent.length === 0
    ? undefined
    : `it needs ${absent.join(', ')}, which neither the kernel nor the folder has`;
}

/** All dependencies, deepest first, through other modules of the folder and the kernel's. */
function withDependencies(
  facts: ModuleFacts,
  folder: readonly (ModuleFacts | undefined)[],
  index: ModuleIndex,
): string[] {
  const order: string[] = [];
  const visit = (name: string): void => {
    if (order.includes(name)) return;
    const vendor = folder.find((each) => each?.name === name);
    const needs = vendor === undefined ? (index.modules.get(name)?.dependencies ?? []) : vendor.depends;
    for (const needed of needs) visit(needed);
    if (!order.includes(name)) order.push(name);
  };
  for (const name of facts.depends) visit(name);
  return order;
}

/** The magic that every module of the kernel carries. */
async function vermagicOf(kernel: UnpackedKernel, index: ModuleIndex): Promise<string> {
  const [any] = [...index.modules.values()].filter(({ origin }) => origin === undefined);
  if (any === undefined) throw new RekindleError('unexpected', `Kernel ${kernel.version} has no modules`);
  const path = join(kernel.modulesDirectory, any.path);
  return (await runTool('reading which kernel a module is for', modinfo, ['-F', 'vermagic', path])).trim();
}

async function describe(path: string): Promise<ModuleFacts | undefined> {
  const text = await runTool(`reading ${path}`, modinfo, ['-0', path]).catch(() => '');
  return parseModinfo(path, text);
}

/** `modinfo -0`: `key=value`, and `filename:` before them, each with a NUL behind it. Undefined for what is no module. */
function parseModinfo(path: string, text: string): ModuleFacts | undefined {
  const values = new Map<string, string[]>();
  for (const line of text.split('\0')) {
    const [, key, value = ''] = /^([a-z_]+)[=:]\s*([\s\S]*)$/.exec(line) ?? [];
    if (key !== undefined) values.set(key, [...(values.get(key) ?? []), value]);
  }
  const vermagic = values.get('vermagic')?.[0];
  if (vermagic === undefined) return undefined;
  const words = (values.get('softdep') ?? []).join(' ').split(/\s+/);
  const postAt = words.indexOf('post:');
  return {
    name: values.get('name')?.[0] ?? moduleName(path),
    path,
    vermagic,
    depends: (values.get('depends')?.[0] ?? '')
      .split(',')
      .filter((name) => name !== '')
      .map((name) => name.replaceAll('-', '_')),
    softDependencies: words
      .slice(0, postAt < 0 ? words.length : postAt)
      .filter((word) => word !== '' && word !== 'pre:'),
    aliases: values.get('alias') ?? [],
  };
}
