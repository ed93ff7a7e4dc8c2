import { once } from 'node:events';
import { Command } from 'commander';
import { readConfiguration } from '#pxe-server/config/read-configuration.ts';
import { createLog } from '#pxe-server/serve/log.ts';
import { startService } from '#pxe-server/serve/start-service.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { type SiteOption, withSite } from '../site-option.ts';

interface ServeOptions extends SiteOption {
  readonly json?: boolean;
  readonly debug?: boolean;
}

export function serveCommand(): Command {
  return withSite(new Command('serve'))
    .description('run the netboot service until Ctrl-C or SIGTERM')
    .option('--json', 'log JSON lines to standard error')
    .option('--debug', 'log more, also what is ignored; implies --json')
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const paths = sitePaths(options.site);
  const configuration = await readConfiguration(paths.configuration);
  const level = options.debug === true ? 'debug' : options.json === true ? 'info' : 'error';
  const service = await startService(paths, configuration, createLog(level));
  for (const { problem, next } of service.warnings) console.error(`Warning: ${problem} Next: ${next}`);
  const { served } = service;
  console.log(
    `Rekindle is ready on ${served.name} (${served.address}): DHCP ${configuration.dhcp.mode}, boot files ${service.httpBaseUrl}, API ${service.apiUrl}. Stop with Ctrl-C.`,
  );
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  await service.close();
  console.log('Rekindle has stopped.');
}
