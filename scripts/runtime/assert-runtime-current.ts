import { RekindleError } from '#base/errors.ts';
import { readServedProgram } from '#pxe-server/site/served-runtime.ts';
import type { SitePaths } from '#pxe-server/site/site-paths.ts';
import { bundleRuntime, programSha256 } from './runtime-program.ts';

/**
 * Whether the runtime that a site serves has the program of this checkout in it. One of another version may not
 * understand what this one writes for it (a ticket, a job), and finds out at the station.
 */
export async function isRuntimeCurrent(paths: SitePaths): Promise<boolean> {
  const served = await readServedProgram(paths);
  return served !== undefined && served === (await programSha256(await bundleRuntime()));
}

/**
 * @param doing e.g. `Building the recovery medium of OS-SRV-1A`
 * @throws RekindleError `usage`
 */
export async function assertRuntimeCurrent(paths: SitePaths, doing: string): Promise<void> {
  if (await isRuntimeCurrent(paths)) return;
  throw new RekindleError(
    'usage',
    `${doing}: the recovery runtime in ${paths.runtime} was built by another version of Rekindle`,
    { next: 'Build it again, then repeat this: rekindle runtime build' },
  );
}
