import { access, constants } from 'node:fs/promises';
import { offeredSystems } from '../boot/other-systems.ts';
import type { Configuration } from '../config/configuration.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { ReadinessProblem } from './check-readiness.ts';

/** Systems that the boot menu offers and that somebody at a station would find out not to start. */
export async function checkOtherSystems(
  configuration: Pick<Configuration, 'boot'>,
  paths: Pick<SitePaths, 'boot'>,
): Promise<ReadinessProblem[]> {
  const offered = offeredSystems(configuration, paths.boot);
  const files = offered.flatMap(({ title, files }) =>
    Array.from(files.values(), (file) => ({ title, file })),
  );
  const checked = files.map(async ({ title, file }): Promise<ReadinessProblem[]> => {
    const isThere = await access(file, constants.R_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return [];
    return [
      {
        problem: `The boot menu offers ${title}, but ${file} is not there or cannot be read.`,
        next: 'Put the file there, or take the system out of `boot.systems` in rekindle.yaml.',
      },
    ];
  });
  return (await Promise.all(checked)).flat();
}
