import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { type HookPlan, hookPlanSchema } from '#contract/hook.ts';
import { formatConfigurationErrors, parseYaml } from '../config/parse-configuration.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { Station } from '../stations/station.ts';

/**
 * The station's hook plan; no file is an empty one, which the schema refuses for a domain controller.
 * @throws RekindleError `usage`: everything that is wrong with it, with line and key
 */
export async function readHookPlan(
  paths: Pick<SitePaths, 'hooks'>,
  { name, role }: Pick<Station, 'name' | 'role'>,
): Promise<HookPlan> {
  const file = hookPlanFile(paths, name);
  let isThere = true;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    if (isErrno(cause, 'ENOENT')) {
      isThere = false;
      return '';
    }
    throw new RekindleError('usage', `The hook plan ${file} cannot be read`, { cause });
  });
  const parsed = parseYaml(text, hookPlanSchema, { station: name, stationRole: role });
  if ('value' in parsed) return parsed.value;
  throw new RekindleError(
    'usage',
    `The hook plan of ${name} has errors:\n${formatConfigurationErrors(file, parsed.errors)}`,
    {
      // Without a file there is nothing to correct.
      next: isThere
        ? `Correct it; \`rekindle hook show ${name}\` checks it. Nothing is restored with a plan that is wrong.`
        : `Write that file: docs/domain.md shows how, \`rekindle hook show ${name}\` checks it.`,
    },
  );
}

export function hookPlanFile(paths: Pick<SitePaths, 'hooks'>, station: string): string {
  return join(paths.hooks, `${station}.yaml`);
}
