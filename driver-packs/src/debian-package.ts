import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';

/** A Debian package that is fetched and unpacked, never installed. */
export interface DebianPackage {
  readonly name: string;
  /** Debian's version, e.g. 6.1.192-2. */
  readonly packageVersion: string;
}

const aptGet = { command: 'apt-get', debianPackage: 'apt' };
const aptCache = { command: 'apt-cache', debianPackage: 'apt' };

/**
 * Path of the archive, in that directory.
 * @throws RekindleError `usage`: apt reaches no mirror, or the mirror has no such version any more
 */
export async function downloadPackage(
  directory: string,
  { name, packageVersion }: DebianPackage,
): Promise<string> {
  // apt's download user may not write here; the archive's hash is checked by apt all the same.
  const parameters = ['-qq', '-o', 'APT::Sandbox::User=root', 'download', `${name}=${packageVersion}`];
  const doing = `downloading ${name} ${packageVersion}`;
  let result = await callTool(doing, aptGet, parameters, { cwd: directory });
  if (result.status !== 0) {
    // Lists that are older than the mirror name a file that is gone.
    await updateLists();
    result = await callTool(doing, aptGet, parameters, { cwd: directory });
  }
  const archive = (await readdir(directory)).find((file) => file.endsWith('.deb'));
  if (result.status !== 0 || archive === undefined) {
    throw new RekindleError('usage', `apt-get could not download ${name} ${packageVersion}`, {
      cause: new Error(result.stderr.trim() || 'no file arrived'),
      next: 'check that the mirrors in /etc/apt/sources.list answer, run apt-get update as root, try again',
    });
  }
  return join(directory, basename(archive));
}

/** Without lists from today apt may still find what it needs in those that are there. */
export async function updateLists(): Promise<void> {
  await callTool('updating apt’s lists', aptGet, ['-qq', 'update']);
}

/**
 * The package of that name in the wanted version; without one, the newest that apt knows.
 * @throws RekindleError `usage`: apt knows no such package or version, with those that it knows
 */
export async function findPackage(name: string, version?: string): Promise<DebianPackage> {
  for (const attempt of ['with the lists that are there', 'after apt-get update']) {
    const { stdout } = await callTool(`looking for ${name}`, aptCache, ['madison', name]);
    const known = parseMadison(stdout.toString());
    const found = version === undefined ? known[0] : known.find((each) => each === version);
    if (found !== undefined) return { name, packageVersion: found };
    if (attempt === 'with the lists that are there') await updateLists();
    else if (known.length > 0) {
      throw new RekindleError('usage', `apt knows no version ${version ?? ''} of ${name}`, {
        next: `These it knows: ${known.join(', ')}.`,
      });
    }
  }
  throw new RekindleError('usage', `apt knows no package ${name}`, {
    next: 'Check its name (apt-cache search), and that /etc/apt/sources.list has its section (non-free-firmware).',
  });
}

/** `name | version | source` lines of apt-cache madison, newest first. */
export function parseMadison(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [, version, source = ''] = line.split('|').map((part) => part.trim());
    return version === undefined || source.endsWith('Sources') ? [] : [version];
  });
}
