import { once } from 'node:events';
import { Command } from 'commander';
import { errorChain } from '#base/errors.ts';
import { readConfiguration } from '#pxe-server/config/read-configuration.ts';
import type { ReadinessProblem } from '#pxe-server/serve/check-readiness.ts';
import { createLog } from '#pxe-server/serve/log.ts';
import { type Service, startService } from '#pxe-server/serve/start-service.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { columnsOf, fitTerminal, say } from '../fit-terminal.ts';
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
  const warn = ({ problem, next }: ReadinessProblem) =>
    console.error(fitTerminal(`Warning: ${problem}\nNext: ${next}`, columnsOf(process.stderr)));
  const log = createLog(level);
  const service = await startService(paths, configuration, log, warn);
  // Every handler catches its own failures; what slips through all of them ends nobody else's boot or restore.
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => log.error({ err: error }, 'a handler crashed'));
  }
  for (const warning of service.warnings) warn(warning);
  for (const { name, address, httpBaseUrl, apiUrl } of service.served) {
    const ready = `Rekindle is ready on ${name} (${address}): DHCP ${configuration.dhcp.mode}, boot files ${httpBaseUrl}, API ${apiUrl}. Stop with Ctrl-C.`;
    say(ready);
  }
  process.on('SIGHUP', () => void reload(service, paths.configuration));
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  await service.close();
  console.log('Rekindle has stopped.');
}

/** A file with errors changes nothing. */
async function reload(service: Service, file: string): Promise<void> {
  try {
    const later = service.reload(await readConfiguration(file));
    console.log(
      later.length === 0
        ? 'Rekindle has read its configuration again.'
        : `Rekindle has read its configuration again; a restart is needed for: ${later.join(', ')}.`,
    );
  } catch (error) {
    console.error(['Rekindle goes on with its old configuration.', ...errorChain(error)].join('\n'));
  }
}
