import type { DomainControllerMark } from '#images/format/image-manifest.ts';
import { readDomainSettings } from '../domain/domain-settings.ts';
import { readControllerMark } from '../domain/read-controllers.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { Station } from '../stations/station.ts';
import { readHookPlan } from './read-hook-plan.ts';

/**
 * What the manifest of a domain controller's image says of its directory, by the account of its hook plan.
 * @throws RekindleError `usage`: errors in the plan, or the domain refuses the account
 */
export async function markOfStation(
  paths: Pick<SitePaths, 'hooks' | 'folder'>,
  station: Pick<Station, 'name' | 'role' | 'computerName'>,
): Promise<DomainControllerMark | { readonly unknown: string }> {
  const { hooks } = await readHookPlan(paths, station);
  const hook = hooks.find((each) => each.kind === 'domain-controller');
  if (hook === undefined) return { unknown: 'its hook plan has no hook of kind domain-controller' };
  return readControllerMark(await readDomainSettings(hook.directory, paths.folder), station.computerName);
}
