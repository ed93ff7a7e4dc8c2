import { readFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import type { Configuration } from './configuration.ts';
import { formatConfigurationErrors, parseConfiguration } from './parse-configuration.ts';

/** @throws RekindleError `usage` when the file cannot be read or anything in it is wrong; all of it at once */
export async function readConfiguration(file: string): Promise<Configuration> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new RekindleError('usage', `The configuration ${file} cannot be read`, {
      cause,
      next: 'Make a site folder with `rekindle init`, or name yours with --site.',
    });
  });
  return checkConfiguration(file, text);
}

/** @throws RekindleError `usage` when anything in the text is wrong; `name` is what the errors call it */
export function checkConfiguration(name: string, text: string): Configuration {
  const parsed = parseConfiguration(text);
  if ('configuration' in parsed) return parsed.configuration;
  const count = parsed.errors.length === 1 ? 'one error' : `${parsed.errors.length} errors`;
  throw new RekindleError(
    'usage',
    `The configuration has ${count}:\n${formatConfigurationErrors(name, parsed.errors)}`,
    {
      next: 'Correct these lines; scripts/README.md has a table of all keys.',
      details: { errors: parsed.errors },
    },
  );
}
