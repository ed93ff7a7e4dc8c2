import { loaderFiles } from '../boot/loader-files.ts';
import { type Configuration, storeFolder } from '../config/configuration.ts';
import type { DhcpEvent } from '../dhcp/dhcp-event.ts';
import { createLeaseStore } from '../dhcp/lease-store.ts';
import { noteOtherServer } from '../dhcp/other-servers.ts';
import { createConfirmations } from '../hooks/first-boot-confirmations.ts';
import { createApiApp } from '../http/api-app.ts';
import { createBootApp } from '../http/boot-app.ts';
import { addFirstBootRoute } from '../http/first-boot-route.ts';
import { removeExpiredTokens } from '../jobs/token.ts';
import { createJournal } from '../journal/journal.ts';
import { findServedInterfaces } from '../site/served-interface.ts';
import { readServerTls, readSigningKey } from '../site/site-keys.ts';
import type { SitePaths } from '../site/site-paths.ts';
import { openState } from '../site/state.ts';
import { createRegistryDecider } from '../stations/registry-decider.ts';
import { createTftpFiles } from '../stations/tftp-files.ts';
import type { TftpEvent } from '../tftp/tftp-event.ts';
import { recordDhcpEvent, recordTftpEvent } from './boot-events.ts';
import { checkOtherSystems } from './check-other-systems.ts';
import { checkReadiness, type ReadinessProblem, readinessError } from './check-readiness.ts';
import { createLoaderWatch } from './loader-watch.ts';
import type { Logger } from './log.ts';
import { countDhcpEvent, countTftpEvent, createMetrics } from './metrics.ts';
import { keysThatNeedRestart, replaceConfiguration } from './reload-configuration.ts';
import { type InterfaceService, type ServedEndpoints, serveInterface } from './serve-interface.ts';
import type { ServiceContext } from './service-context.ts';
import { shielded } from './shielded.ts';
import { watchDhcpServers } from './watch-dhcp-servers.ts';

export interface Service {
  readonly served: readonly ServedEndpoints[];
  readonly warnings: readonly ReadinessProblem[];
  /**
   * The configuration as it is in the file now; running transfers go on. What needs other sockets or another store
   * stays as it was.
   * @returns keys that changed and count only after a restart
   */
  reload(next: Configuration): string[];
  /** Takes no new requests, lets running ones end for a moment, and closes the state. */
  close(): Promise<void>;
}

/**
 * DHCP, TFTP, HTTP and HTTPS in one process, from one configuration. Everything that can be checked is checked
 * before the first port is opened; when one port cannot be had, those that were opened are closed again.
 * @param onWarning what is found out while the service runs
 */
export async function startService(
  paths: SitePaths,
  initial: Configuration,
  log: Logger,
  onWarning: (warning: ReadinessProblem) => void = () => undefined,
): Promise<Service> {
  // Everybody holds this one object, so that a reload reaches everybody.
  const configuration = structuredClone(initial);
  const served = findServedInterfaces(configuration);
  const store = storeFolder(configuration, paths.folder);
  await using stack = new AsyncDisposableStack();
  const state = stack.adopt(openState(paths.state), (opened) => opened.close());
  const { problems, warnings: found } = await checkReadiness(paths, state, store, configuration.share);
  if (problems.length > 0) throw readinessError(problems);
  const warnings = [...found, ...(await checkOtherSystems(configuration, paths))];

  const metrics = createMetrics();
  const journal = createJournal(state, {
    keptBoots: configuration.journal.boots,
    onFailure: (error) => log.error({ err: error }, 'journal cannot be written'),
  });
  stack.defer(() => journal.flush());
  const decider = createRegistryDecider(state, configuration);
  const watch = createLoaderWatch(state, decider, (error) =>
    log.error({ err: error }, 'what a machine loaded cannot be written'),
  );
  stack.defer(() => watch.flush());
  const loaders = await loaderFiles();
  const signingKey = await readSigningKey(paths);
  const context: ServiceContext = { state, paths, configuration, store, signingKey, journal, log };
  removeExpiredTokens(state);
  const confirmations = stack.adopt(createConfirmations(context), (begun) => begun.close());

  const bootApp = createBootApp({
    state,
    paths,
    decider,
    configuration,
    metrics,
    journal: {
      ...journal,
      record(entry) {
        log.info(entry, 'boot file');
        journal.record(entry);
      },
    },
    loaders,
    watch,
    onError: (doing, error) => log.error({ doing, err: error }, 'boot file failed'),
    addRoutes: (app) => addFirstBootRoute(app, context, confirmations),
  });
  const onDhcp = shielded(log, 'dhcp event', (event: DhcpEvent) => {
    countDhcpEvent(metrics, event);
    recordDhcpEvent(journal, log, event);
    watch.dhcp(event);
    if (event.event !== 'ignored' || event.otherServer === undefined) return;
    const isNew = noteOtherServer(state, event.otherServer, `${event.mac} has chosen it`);
    if (isNew) log.warn({ server: event.otherServer, machine: event.mac }, 'another dhcp server');
  });
  const shared = {
    configuration,
    tls: await readServerTls(paths),
    bootApp,
    apiApp: createApiApp(context),
    tftpFiles: (endpoints: ServedEndpoints) =>
      createTftpFiles({ state, paths, decider, configuration, loaders, ...endpoints }),
    decider,
    leases: createLeaseStore(state),
    onDhcp,
    onTftp: shielded(log, 'tftp event', (event: TftpEvent) => {
      countTftpEvent(metrics, event);
      recordTftpEvent(journal, log, event);
      watch.tftp(event);
    }),
  };
  const interfaces: InterfaceService[] = [];
  for (const each of served) {
    const running = await serveInterface({ ...shared, served: each });
    stack.defer(() => running.close());
    interfaces.push(running);
  }
  stack.defer(watchDhcpServers({ served, configuration, state, log, onWarning }));

  const running = stack.move();
  return {
    served: interfaces,
    warnings,
    reload(next) {
      const later = keysThatNeedRestart(configuration, next);
      replaceConfiguration(configuration, next);
      for (const each of interfaces) each.reload(configuration);
      log.info({ later }, 'configuration reloaded');
      return later;
    },
    close: () => running.disposeAsync(),
  };
}
