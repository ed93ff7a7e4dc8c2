import http from 'node:http';
import https from 'node:https';
import { ipv4 } from '../boot/ipv4-address.ts';
import { loaderFiles } from '../boot/loader-files.ts';
import type { Configuration } from '../config/configuration.ts';
import { storeFolder } from '../config/configuration.ts';
import { startDhcpServer } from '../dhcp/dhcp-server.ts';
import { createApiApp } from '../http/api-app.ts';
import { createBootApp } from '../http/boot-app.ts';
import { removeExpiredTokens } from '../jobs/token.ts';
import { createJournal } from '../journal/journal.ts';
import { findInterface, type ServedInterface } from '../site/served-interface.ts';
import { readServerTls, readSigningKey } from '../site/site-keys.ts';
import type { SitePaths } from '../site/site-paths.ts';
import { openState } from '../site/state.ts';
import { createRegistryDecider } from '../stations/registry-decider.ts';
import { startTftpServer } from '../tftp/tftp-server.ts';
import { recordDhcpEvent, recordTftpEvent } from './boot-events.ts';
import { checkReadiness, type ReadinessProblem, readinessError } from './check-readiness.ts';
import { listen } from './listen.ts';
import type { Logger } from './log.ts';
import type { ServiceContext } from './service-context.ts';

export interface Service {
  readonly served: ServedInterface;
  readonly httpBaseUrl: string;
  readonly apiUrl: string;
  readonly warnings: readonly ReadinessProblem[];
  /** Takes no new requests, lets running ones end for a moment, and closes the state. */
  close(): Promise<void>;
}

/** How long a running transfer may go on after the order to stop. */
const graceMs = 3000;

/**
 * DHCP, TFTP, HTTP and HTTPS in one process, from one configuration. Everything that can be checked is checked
 * before the first port is opened; when one port cannot be had, those that were opened are closed again.
 */
export async function startService(
  paths: SitePaths,
  configuration: Configuration,
  log: Logger,
): Promise<Service> {
  const served = findInterface(configuration.interface, configuration.address);
  const store = storeFolder(configuration, paths.folder);
  await using stack = new AsyncDisposableStack();
  const state = stack.adopt(openState(paths.state), (opened) => opened.close());
  const { problems, warnings } = await checkReadiness(paths, state, store, configuration.share);
  if (problems.length > 0) throw readinessError(problems);

  const { address } = served;
  const httpBaseUrl = `http://${address}:${configuration.http.port}`;
  const apiUrl = `https://${address}:${configuration.https.port}`;
  const journal = createJournal(state, configuration.journal.boots);
  const decider = createRegistryDecider(state, configuration);
  const loaders = await loaderFiles();
  const signingKey = await readSigningKey(paths);
  const context: ServiceContext = { state, paths, configuration, store, signingKey, journal, log };
  removeExpiredTokens(state);

  const bootApp = createBootApp({
    state,
    paths,
    decider,
    journal: {
      ...journal,
      record(entry) {
        log.info(entry, 'boot file');
        journal.record(entry);
      },
    },
    loaders,
    httpBaseUrl,
    apiUrl,
    onError: (doing, error) => log.error({ doing, err: error }, 'boot file failed'),
  });
  const bootServer = http.createServer(bootApp);
  const apiServer = https.createServer(
    // Stations without AES instructions ask for another cipher first; any of TLS 1.3 is good.
    { ...(await readServerTls(paths)), minVersion: 'TLSv1.3', honorCipherOrder: false },
    createApiApp(context),
  );
  for (const [server, what, port] of [
    [bootServer, 'HTTP for boot files', configuration.http.port],
    [apiServer, 'HTTPS for the API', configuration.https.port],
  ] as const) {
    await listen(server, what, address, port);
    stack.adopt(server, closeServer);
  }
  const tftp = await startTftpServer({
    address,
    port: configuration.tftp.port,
    files: new Map(Array.from(loaders, ([name, bytes]) => [name as string, { bytes }])),
    onEvent: (event) => recordTftpEvent(journal, log, event),
  });
  stack.defer(() => tftp.close());
  const pool = configuration.dhcp.enrolmentPool;
  const dhcp = await startDhcpServer({
    settings: {
      mode: configuration.dhcp.mode,
      interfaceAddress: address,
      netmask: served.netmask,
      tftpServer: address,
      httpBaseUrl,
      leaseSeconds: configuration.dhcp.leaseSeconds,
      ...(pool === undefined ? {} : { enrolmentPool: { first: ipv4(pool.from), last: ipv4(pool.to) } }),
    },
    decider,
    onEvent: (event) => recordDhcpEvent(journal, log, event),
  });
  stack.defer(() => dhcp.close());

  const running = stack.move();
  return { served, httpBaseUrl, apiUrl, warnings, close: () => running.disposeAsync() };
}

async function closeServer(server: http.Server | https.Server): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
