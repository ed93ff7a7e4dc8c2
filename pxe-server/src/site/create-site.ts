import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makeFolder } from '#base/make-folder.ts';
import {
  formatPublicKey,
  formatSecretKey,
  generateKeyPair,
  parseSecretKey,
} from '#images/format/minisign.ts';
import { chunksFolder } from '#images/stores/directory-store.ts';
import { writeFileDurably } from '#images/stores/durable-write.ts';
import { imagesFolder } from '#images/stores/image-folder.ts';
import { storeFolder } from '../config/configuration.ts';
import { checkConfiguration, readConfiguration } from '../config/read-configuration.ts';
import { createCertificates } from './create-certificates.ts';
import { findServedInterfaces } from './served-interface.ts';
import type { SitePaths } from './site-paths.ts';

/** What `init` asks; the rest of the configuration has defaults. Written as YAML as it is. */
export interface InitialConfiguration {
  readonly interface: string;
  readonly address?: string;
  readonly dhcp: {
    readonly mode: 'proxy' | 'reservation';
    readonly stations?: { readonly from: string; readonly to: string };
    readonly enrolmentPool?: { readonly from: string; readonly to: string };
  };
  readonly http?: { readonly port: number };
  readonly https?: { readonly port: number };
  readonly tftp?: { readonly port: number };
}

/**
 * Makes what is missing in a site folder and leaves what is there: a key that is lost takes every image it
 * signed with it.
 * @returns what was made, a line each
 */
export async function createSite(paths: SitePaths, initial: InitialConfiguration): Promise<string[]> {
  const made: string[] = [];
  const isNew = !existsSync(paths.configuration);
  // Before anything is written: a configuration that is there stays, and so would a typing error in it.
  if (isNew)
    findServedInterfaces(checkConfiguration('what was asked for', formatInitialConfiguration(initial)));
  await makeFolder(paths.folder);
  await makeFolder(join(paths.folder, 'keys'), 0o700);

  if (isNew) {
    await writeFile(paths.configuration, formatInitialConfiguration(initial), { flag: 'wx' });
    made.push(`configuration ${paths.configuration}`);
  }
  const configuration = await readConfiguration(paths.configuration);

  if (!existsSync(paths.imageSigningKey)) {
    await writeFile(paths.imageSigningKey, formatSecretKey(generateKeyPair()), { mode: 0o600, flag: 'wx' });
    made.push('key that signs images and reports');
  }
  if (!existsSync(paths.imageSigningPublicKey)) {
    const secret = parseSecretKey(await readFile(paths.imageSigningKey, 'utf8'));
    await writeFileDurably(paths.imageSigningPublicKey, Buffer.from(formatPublicKey(secret)));
  }
  const tls = [paths.caKey, paths.caCertificate, paths.serverKey, paths.serverCertificate];
  if (!tls.every((file) => existsSync(file))) {
    const served = findServedInterfaces(configuration);
    await createCertificates(
      paths,
      served.map(({ address }) => address),
    );
    made.push('site CA and server certificate');
  }
  const store = storeFolder(configuration, paths.folder);
  for (const folder of [chunksFolder, imagesFolder]) await makeFolder(join(store, folder));
  for (const folder of [paths.packs, paths.reports, paths.runtime]) await makeFolder(folder);
  return made;
}

function formatInitialConfiguration(initial: InitialConfiguration): string {
  return [
    '# Configuration of this Rekindle site. scripts/README.md has a table of all keys and their defaults.',
    '# Check it after a change: rekindle serve names every error with its line.',
    '',
    stringify(initial),
  ].join('\n');
}
