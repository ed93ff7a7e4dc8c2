import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isAbsent } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';

/** Where `init --systemd` writes it. */
export const systemdUnitFile = '/etc/systemd/system/rekindle.service';

export interface UnitPaths {
  /** The checkout: `scripts/rekindle.ts` is in it. */
  readonly folder: string;
  readonly node: string;
  readonly site: string;
  readonly store: string;
}

/**
 * `rekindle.service` for this computer.
 * @throws RekindleError `usage`: a path that systemd would read as something else
 */
export async function formatSystemdUnit(
  { folder, node, site, store }: UnitPaths,
  template = join(folder, 'scripts', 'systemd', 'rekindle.service'),
): Promise<string> {
  const values = { folder, node, site, store, rekindle: join(folder, 'scripts', 'rekindle.ts') };
  for (const path of Object.values(values)) {
    if (/^\/[A-Za-z0-9._/+-]+$/.test(path)) continue;
    throw new RekindleError('usage', `Writing the systemd unit: ${JSON.stringify(path)} cannot stand in it`, {
      next: 'Use absolute paths of letters, digits and . _ - +',
    });
  }
  const lines = (await readFile(template, 'utf8'))
    .split('\n')
    .filter((line) => !line.startsWith('# ') || !/`rekindle init|by hand/.test(line));
  return lines
    .join('\n')
    .replace(/@(\w+)@/g, (marker, name: string) => values[name as keyof typeof values] ?? marker);
}

/** The user of an installed unit that serves this site; undefined: none is installed, or it serves another one. */
export async function userOfUnit(site: string, file = systemdUnitFile): Promise<string | undefined> {
  let unit: string;
  try {
    unit = await readFile(file, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  const lastOf = (line: RegExp): string | undefined => [...unit.matchAll(line)].at(-1)?.[1];
  if (lastOf(/^ExecStart=.* --site (\S+)/gm) !== resolve(site)) return undefined;
  return lastOf(/^User=(\S+)/gm) ?? 'root';
}
