import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';

export type FoundPath =
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'absent'; readonly missing: string }
  /** A junction, a symbolic link, or two names that Windows would not tell apart. */
  | { readonly kind: 'refused'; readonly why: string };

/**
 * A file by its Windows path below a mounted volume, whatever the case of the names: ntfs-3g tells `Windows` from
 * `WINDOWS`. Junctions are not followed, since they may lead off the volume.
 */
export function findPath(root: string, windowsPath: string): FoundPath {
  let at = root;
  for (const part of windowsPath.split('\\').filter(Boolean)) {
    const names = fs.statSync(at).isDirectory() ? fs.readdirSync(at) : [];
    const alike = names.filter((name) => name.toLowerCase() === part.toLowerCase());
    const name = alike.length === 1 ? alike[0] : alike.find((each) => each === part);
    if (name === undefined && alike.length > 1)
      return { kind: 'refused', why: `${alike.join(' and ')} stand beside each other` };
    if (name === undefined) return { kind: 'absent', missing: part };
    at = path.join(at, name);
    if (fs.lstatSync(at).isSymbolicLink())
      return { kind: 'refused', why: `${name} is a junction or a link, which is not followed` };
  }
  return { kind: 'found', path: at };
}

/** @throws RekindleError `verification-failed`: it is not there, or not to be followed */
export function requirePath(root: string, windowsPath: string): string {
  const found = findPath(root, windowsPath);
  if (found.kind === 'found') return found.path;
  throw new RekindleError(
    'verification-failed',
    `looking for ${windowsPath} on the restored Windows volume`,
    {
      cause: new Error(found.kind === 'absent' ? `there is no ${found.missing}` : found.why),
      next: 'Look at the volume (rekindle image mount), then choose an image that has it.',
    },
  );
}
