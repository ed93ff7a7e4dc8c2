import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { type PackManifest, packManifestSchema } from '#driver-packs/pack-manifest.ts';
import { type PublicKey, verifySignature } from '#images/format/minisign.ts';

/** Where the second initrd puts the station's pack, below the root. */
export const packDirectory = 'rekindle/pack';
/** Where the site's part of the runtime puts the modules that mount the site's share. */
export const sharePackDirectory = 'rekindle/share-pack';

/**
 * Reads the manifest of a pack in this initrd; undefined when there is none.
 * @param signer the site's key; absent: the pack came with what vouches for it, in the site's part of the runtime
 * @throws RekindleError `verification-failed` when it is damaged, or not signed with the site's key.
 */
export async function readPackManifest(
  root: string,
  directory = packDirectory,
  signer?: PublicKey,
): Promise<PackManifest | undefined> {
  const path = join(root, directory, 'pack.json');
  let text: Buffer;
  try {
    text = await readFile(path);
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return undefined;
    throw new RekindleError('verification-failed', `cannot read the driver pack's manifest ${path}`, {
      cause,
    });
  }
  if (signer !== undefined) {
    const signature = await readFile(`${path}.minisig`, 'utf8').catch((cause: unknown) => {
      throw new RekindleError(
        'verification-failed',
        'the driver pack is not signed; nothing of it was loaded',
        {
          cause,
          next: 'build the pack again: rekindle driver-pack build STATION',
        },
      );
    });
    verifySignature(text, signature, signer, 'the driver pack');
  }
  try {
    return packManifestSchema.parse(JSON.parse(text.toString('utf8')));
  } catch (cause) {
    throw new RekindleError('verification-failed', `the driver pack's manifest ${path} is damaged`, {
      cause: cause instanceof z.ZodError ? new Error(z.prettifyError(cause)) : cause,
      next: 'build the pack again: rekindle driver-pack build STATION',
    });
  }
}

/**
 * Path of a file of the pack whose size and hash are what the manifest says.
 * @throws RekindleError `verification-failed` when they are not.
 */
export async function verifiedFile(
  root: string,
  { file, sha256, bytes }: { readonly file: string; readonly sha256: string; readonly bytes: number },
  directory = packDirectory,
): Promise<string> {
  const base = resolve(root, directory);
  const path = resolve(base, file);
  const fail = (what: string, cause?: unknown) =>
    new RekindleError('verification-failed', `driver pack: ${file} ${what}; nothing of it was loaded`, {
      ...(cause === undefined ? {} : { cause }),
      next: 'boot again; if it stays, build the pack again: rekindle driver-pack build STATION',
    });
  if (!path.startsWith(`${base}/`)) throw fail('lies outside of the pack');
  const content = await readFile(path).catch((cause: unknown) => {
    throw fail('is in the manifest but cannot be read', cause);
  });
  if (content.length !== bytes) throw fail(`has ${content.length} bytes instead of ${bytes}`);
  if (hash('sha256', content) !== sha256) throw fail('is not what its hash says');
  return path;
}
