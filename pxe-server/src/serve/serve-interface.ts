import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { Express } from 'express';
import type { BootDecider } from '../boot/boot-decider.ts';
import { isIpxe } from '../boot/firmware-kind.ts';
import { ipv4, isInSubnet } from '../boot/ipv4-address.ts';
import type { Configuration } from '../config/configuration.ts';
import type { DhcpEvent } from '../dhcp/dhcp-event.ts';
import { startDhcpServer } from '../dhcp/dhcp-server.ts';
import type { LeaseStore } from '../dhcp/lease-store.ts';
import { openRouterAdvertiser } from '../dhcp/router-advertisement.ts';
import type { DhcpSettings } from '../dhcp/settings.ts';
import type { ServedInterface } from '../site/served-interface.ts';
import type { ServerTls } from '../site/site-keys.ts';
import type { ServedFiles } from '../tftp/served-file.ts';
import type { TftpEvent } from '../tftp/tftp-event.ts';
import { startTftpServer } from '../tftp/tftp-server.ts';
import { listen } from './listen.ts';

/** What the machines on one interface reach us by. */
export interface ServedEndpoints extends ServedInterface {
  /** `http://10.77.0.1:8080`, no slash at the end. */
  readonly httpBaseUrl: string;
  readonly apiUrl: string;
}

export interface InterfaceServiceOptions {
  readonly served: ServedInterface;
  readonly configuration: Configuration;
  readonly tls: ServerTls;
  readonly bootApp: Express;
  readonly apiApp: Express;
  /** What TFTP serves to machines that reach us by these endpoints. */
  readonly tftpFiles: (endpoints: ServedEndpoints) => ServedFiles;
  readonly decider: BootDecider;
  readonly leases: LeaseStore;
  readonly onDhcp: (event: DhcpEvent) => void;
  readonly onTftp: (event: TftpEvent) => void;
}

export interface InterfaceService extends ServedEndpoints {
  reload(next: Configuration): void;
  close(): Promise<void>;
}

/** How long a running transfer may go on after the order to stop. */
const graceMs = 3000;

/** HTTP, HTTPS, TFTP and DHCP on one interface; when one port cannot be had, those opened before are closed again. */
export async function serveInterface(options: InterfaceServiceOptions): Promise<InterfaceService> {
  const { served, configuration, tftpFiles, decider, leases } = options;
  const endpoints = endpointsOf(served, configuration);
  await using stack = new AsyncDisposableStack();
  const bootServer = http.createServer(options.bootApp);
  const apiServer = https.createServer(
    // Stations without AES instructions ask for another cipher first; any of TLS 1.3 is good.
    { ...options.tls, minVersion: 'TLSv1.3', honorCipherOrder: false },
    options.apiApp,
  );
  for (const [server, what, port] of [
    [bootServer, 'HTTP for boot files', configuration.http.port],
    [apiServer, 'HTTPS for the API', configuration.https.port],
  ] as const) {
    await listen(server, what, served.address, port);
    stack.adopt(server, closeServer);
  }
  const tftp = await startTftpServer({
    address: served.address,
    port: configuration.tftp.port,
    singlePort: configuration.tftp.singlePort,
    files: tftpFiles(endpoints),
    onEvent: options.onTftp,
  });
  stack.defer(() => tftp.close(graceMs));
  const advertiser = openRouterAdvertiser(served.name, (error) =>
    options.onDhcp({ event: 'failed', doing: 'sending a router advertisement', error }),
  );
  const dhcp = await startDhcpServer({
    settings: settingsOf(endpoints, configuration),
    decider,
    leases,
    onEvent: (event) => {
      options.onDhcp(event);
      if (event.event !== 'replied' || event.relay !== undefined) return;
      if (event.firmwareKind !== undefined && isIpxe(event.firmwareKind)) advertiser.advertiseTo(event.mac);
    },
  });
  stack.defer(() => dhcp.close());

  const running = stack.move();
  return {
    ...endpoints,
    reload: (next) => dhcp.reconfigure(settingsOf(endpoints, next)),
    close: () => running.disposeAsync(),
  };
}

function endpointsOf(served: ServedInterface, { http, https }: Configuration): ServedEndpoints {
  const { address } = served;
  return {
    ...served,
    httpBaseUrl: `http://${address}:${http.port}`,
    apiUrl: `https://${address}:${https.port}`,
  };
}

function settingsOf(
  { name, address, netmask, httpBaseUrl }: ServedEndpoints,
  { dhcp }: Configuration,
): DhcpSettings {
  const pool = dhcp.enrolmentPool;
  // Of several interfaces, the one whose network the pool is in gives its addresses.
  const isOurs = pool !== undefined && isInSubnet(ipv4(pool.from), address, netmask);
  return {
    mode: dhcp.mode,
    interfaceName: name,
    interfaceAddress: address,
    netmask,
    tftpServer: address,
    httpBaseUrl,
    leaseSeconds: dhcp.leaseSeconds,
    ...(isOurs ? { enrolmentPool: { first: ipv4(pool.from), last: ipv4(pool.to) } } : {}),
  };
}

async function closeServer(server: http.Server | https.Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
