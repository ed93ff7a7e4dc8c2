import { RekindleError } from '#base/errors.ts';
import type { Share } from '#contract/share.ts';
import { type InsertModules, insertModules } from '../drivers/insert-modules.ts';
import { loadModules } from '../drivers/load-driver-pack.ts';
import { readPackManifest, sharePackDirectory } from '../drivers/read-pack.ts';
import { listDirectory } from '../inventory/sysfs.ts';

/** Module that mounts each kind; the others of the pack are what it needs. */
const fileSystem: Readonly<Record<Share['kind'], string>> = { smb: 'cifs', nfs: 'nfsv4' };

/**
 * Loads what mounts this kind of share from the site's part of the runtime.
 * @throws RekindleError `usage` when this runtime was not built for it, `verification-failed` when it is damaged
 */
export async function loadShareModules(
  kind: Share['kind'],
  { root = '/', insert = insertModules }: { readonly root?: string; readonly insert?: InsertModules } = {},
): Promise<void> {
  if ((await listDirectory({ root }, `sys/module/${fileSystem[kind]}`)).includes('initstate')) return;
  const doing = `loading what mounts ${kind.toUpperCase()} shares`;
  const manifest = await readPackManifest(root, sharePackDirectory);
  if (manifest?.modules.some(({ name }) => name === fileSystem[kind]) !== true) {
    throw new RekindleError('usage', `${doing}: this runtime was built without it`, {
      next: 'Build the runtime again on the Rekindle server (rekindle runtime build), then boot again.',
    });
  }
  const outcomes = await loadModules({ root }, manifest.modules, insert, sharePackDirectory);
  const failed = outcomes.find(({ name, outcome }) => name === fileSystem[kind] && outcome === 'refused');
  if (failed === undefined) return;
  throw new RekindleError('unexpected', doing, {
    cause: new Error(`the kernel refused the module ${failed.name}: ${failed.reason ?? 'without a word'}`),
    next: 'Build the runtime again on the Rekindle server (rekindle runtime build), then boot again.',
  });
}
