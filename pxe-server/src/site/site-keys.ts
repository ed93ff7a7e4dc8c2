import { readFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import { type PublicKey, parsePublicKey, parseSecretKey, type SecretKey } from '#images/format/minisign.ts';
import type { SitePaths } from './site-paths.ts';

/** Signs manifests and run reports. */
export async function readSigningKey(paths: SitePaths): Promise<SecretKey> {
  return parseSecretKey(await readKeyFile(paths.imageSigningKey));
}

export async function readSigningPublicKey(paths: SitePaths): Promise<PublicKey> {
  return parsePublicKey(await readKeyFile(paths.imageSigningPublicKey));
}

export interface ServerTls {
  readonly key: string;
  readonly cert: string;
}

export async function readServerTls(paths: SitePaths): Promise<ServerTls> {
  const [key, certificate] = await Promise.all([
    readKeyFile(paths.serverKey),
    readKeyFile(paths.serverCertificate),
  ]);
  return { key, cert: certificate };
}

async function readKeyFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new RekindleError('usage', `The key file ${file} cannot be read`, {
      cause,
      next: 'Put it back from a copy of the site folder. `rekindle init` makes a new one, but images signed with the old key need the old public key.',
    });
  }
}
