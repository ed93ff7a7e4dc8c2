import { lookup } from 'node:dns/promises';
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import type { Share } from '#contract/share.ts';
import type { ShareConfiguration } from '../config/configuration.ts';
import { parseNfsLocation, parseSmbLocation } from '../config/share-location.ts';

/** A password is a line; more is another file. */
const passwordLimit = 256;

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
    password: await readPassword(passwordPath(passwordFile, siteFolder)),
    seal,
  };
}

export function passwordPath(passwordFile: string, siteFolder: string): string {
  return isAbsolute(passwordFile) ? passwordFile : join(siteFolder, passwordFile);
}

/** @throws RekindleError `usage`: not there, not private, or not one line */
export async function readPassword(file: string): Promise<string> {
  const refuse = (what: string, next: string, cause?: unknown): RekindleError =>
    new RekindleError('usage', `Reading the password of the share: ${file} ${what}`, {
      ...(cause === undefined ? {} : { cause }),
      next,
    });
  const info = await stat(file).catch((cause: unknown) => {
    throw refuse('cannot be read', 'Write the password into it, and chmod 600.', cause);
  });
  if ((info.mode & 0o077) !== 0) throw refuse('can be read by other users', `chmod 600 ${file}`);
  const password = (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
  const usable = password !== '' && password.length <= passwordLimit && !/\p{Cc}/u.test(password);
  if (usable) return password;
  throw refuse(
    'does not hold one line of at most 256 characters',
    'Write the password and nothing else into it.',
  );
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
