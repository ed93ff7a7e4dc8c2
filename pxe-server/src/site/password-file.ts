import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { RekindleError } from '#base/errors.ts';

/** A password is a line; more is another file. */
const passwordLimit = 256;

/** A file that the site's settings name: relative to the site folder unless absolute. */
export function siteFile(file: string, siteFolder: string): string {
  return isAbsolute(file) ? file : join(siteFolder, file);
}

/**
 * The password in a file that nobody else can read. `whose`: "the share".
 * @throws RekindleError `usage`: not there, not private, or not one line
 */
export async function readPasswordFile(whose: string, file: string): Promise<string> {
  const refuse = (what: string, next: string, cause?: unknown): RekindleError =>
    new RekindleError('usage', `Reading the password of ${whose}: ${file} ${what}`, {
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
