import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import type { Configuration } from '#pxe-server/config/configuration.ts';
import { readConfiguration } from '#pxe-server/config/read-configuration.ts';
import { type SitePaths, sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState, type State } from '#pxe-server/site/state.ts';

export interface SiteOption {
  readonly site: string;
}

/** Every verb that works on a site folder has this option. */
export function withSite(command: Command): Command {
  return command.option('--site <folder>', 'site folder', parseFolder, '/var/lib/rekindle');
}

/** An empty name (a variable of a script that is not set) would be the folder that one happens to be in. */
function parseFolder(text: string): string {
  if (text === '') throw new InvalidArgumentError('Name a folder.');
  return text;
}

export interface OpenSite {
  readonly paths: SitePaths;
  readonly configuration: Configuration;
  readonly state: State;
}

/** @throws RekindleError `usage`: no site folder there, or a configuration with errors */
export async function openSite({ site }: SiteOption): Promise<OpenSite> {
  const paths = sitePaths(site);
  const configuration = await readConfiguration(paths.configuration);
  return { paths, configuration, state: openState(paths.state) };
}

/** Who does this, for the records: the person's log-in name, also behind sudo. */
export function operatorName(environment: NodeJS.ProcessEnv = process.env): string {
  return environment['SUDO_USER'] ?? userInfo().username;
}
