import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';

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
