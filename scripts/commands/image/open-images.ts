import { access } from 'node:fs/promises';
import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { parseStore } from '#images/stores/open-store.ts';
import { storeFolder } from '#pxe-server/config/configuration.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { type OpenSite, openSite, type SiteOption, withSite } from '../../site-option.ts';

export type StoreOption = SiteOption & { readonly store?: string };

/** A verb of `rekindle image` or `system-state`: each works on the site's store unless it is told another. */
export function imageVerb(name: string): Command {
  return withSite(new Command(name)).option(
    '--store <store>',
    "another store than the site's: a path or a URL",
  );
}

export interface OpenImages {
  readonly store: string;
  /** Whose signatures are believed. */
  readonly key: PublicKey;
}

/** @throws RekindleError `usage`: no site folder there; `store-unreachable`: no such folder */
export async function openImages(options: StoreOption): Promise<OpenImages> {
  const site = await openSite(options);
  const store = storeOf(site, options);
  if (parseStore(store).kind === 'directory') await assertThere(store);
  return { store, key: await readSigningPublicKey(site.paths) };
}

/** A share that is not mounted is not a store without images. */
export async function assertThere(store: string): Promise<void> {
  await access(store).catch((cause: unknown) => {
    throw new RekindleError('store-unreachable', `The image store ${store} is not there`, {
      cause,
      next: 'Correct the path, or mount the disk or share that it is on.',
    });
  });
}

export function storeOf({ configuration, paths }: OpenSite, { store }: StoreOption): string {
  if (store === undefined) return storeFolder(configuration, paths.folder);
  const ref = parseStore(store);
  return ref.kind === 'http' ? ref.url : ref.path;
}

/**
 * For verbs that change a store: a web server cannot be asked for that.
 * @param verb `image gc`
 * @throws RekindleError `usage`
 */
export function assertFolderStore(store: string, verb: string): void {
  if (parseStore(store).kind === 'directory') return;
  throw new RekindleError('usage', `rekindle ${verb} works on a folder, and ${store} is a web server`, {
    next: 'Run it on the machine that has the folder, or mount the folder here.',
  });
}
