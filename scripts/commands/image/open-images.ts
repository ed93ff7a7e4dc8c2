import { resolve } from 'node:path';
import { Command } from 'commander';
import type { PublicKey } from '#images/format/minisign.ts';
import { storeFolder } from '#pxe-server/config/configuration.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { type OpenSite, openSite, type SiteOption, withSite } from '../../site-option.ts';

export type StoreOption = SiteOption & { readonly store?: string };

/** A verb of `rekindle image`: each works on the site's store unless it is told another. */
export function imageVerb(name: string): Command {
  return withSite(new Command(name)).option('--store <folder>', "another store than the site's");
}

export interface OpenImages {
  readonly store: string;
  /** Whose signatures are believed. */
  readonly key: PublicKey;
}

/** @throws RekindleError `usage`: no site folder there */
export async function openImages(options: StoreOption): Promise<OpenImages> {
  const site = await openSite(options);
  return { store: storeOf(site, options), key: await readSigningPublicKey(site.paths) };
}

export function storeOf({ configuration, paths }: OpenSite, { store }: StoreOption): string {
  return store === undefined ? storeFolder(configuration, paths.folder) : resolve(store);
}
