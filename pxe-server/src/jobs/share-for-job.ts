import { lookup } from 'node:dns/promises';
import { RekindleError } from '#base/errors.ts';
import type { Share } from '#contract/share.ts';
import type { ShareConfiguration } from '../config/share-configuration.ts';
import { parseNfsLocation, parseSmbLocation } from '../config/share-location.ts';
import { readPasswordFile, siteFile } from '../site/password-file.ts';

/**
 * The share that the configuration names, as an authorised job gets it: with the address of its server, and with
 * the password as the file has it at this moment. Nobody keeps it here.
 * @throws RekindleError `usage` (password file), `store-unreachable` (the server's name is not known)
 */
export async function shareForJob(configured: ShareConfiguration, siteFolder: string): Promise<Share> {
  const { smb, nfs, user, domain, passwordFile, seal } = configured;
  const nfsAt = parseNfsLocation(nfs ?? '');
  if (nfsAt !== undefined) return { kind: 'nfs', ...nfsAt, address: await addressOf(nfsAt.server) };
  const smbAt = parseSmbLocation(smb ?? '');
  if (smbAt === undefined || user === undefined || passwordFile === undefined) {
    throw new RangeError('the schema of the configuration let an incomplete share through');
  }
  return {
    kind: 'smb',
    ...smbAt,
    address: await addressOf(smbAt.server),
    user,
    ...(domain === undefined ? {} : { domain }),
    password: await readPasswordFile('the share', siteFile(passwordFile, siteFolder)),
    seal,
  };
}

async function addressOf(server: string): Promise<string> {
  try {
    return (await lookup(server, { family: 4 })).address;
  } catch (cause) {
    throw new RekindleError('store-unreachable', `Looking up the address of the share's server ${server}`, {
      cause,
      next: 'Correct the name in rekindle.yaml, or put it into /etc/hosts of the Rekindle server.',
    });
  }
}
