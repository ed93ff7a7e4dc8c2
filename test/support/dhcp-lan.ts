import { ipv4 } from '#pxe-server/boot/ipv4-address.ts';
import type { DhcpEvent } from '#pxe-server/dhcp/dhcp-event.ts';
import type { DhcpServerArgument } from './dhcp-server-process.ts';
import { type JsonLinesProcess, startJsonLines } from './json-lines-process.ts';
import type { NetworkNamespace } from './network-namespace.ts';

export type DhcpProcess = JsonLinesProcess<DhcpEvent>;

/** Starts our DHCP server at 10.77.0.1 in `namespace` and waits until it listens. */
export async function startDhcp(
  namespace: NetworkNamespace,
  options: Omit<DhcpServerArgument, 'settings'> & {
    mode: 'proxy' | 'reservation';
    settings?: Partial<DhcpServerArgument['settings']>;
  },
): Promise<DhcpProcess> {
  const { mode, settings, ...rest } = options;
  const argument: DhcpServerArgument = {
    ...rest,
    settings: {
      mode,
      interfaceName: 'eth0',
      interfaceAddress: ipv4('10.77.0.1'),
      netmask: ipv4('255.255.255.0'),
      tftpServer: ipv4('10.77.0.1'),
      httpBaseUrl: 'http://10.77.0.1:8080',
      leaseSeconds: 600,
      enrolmentPool: { first: ipv4('10.77.0.200'), last: ipv4('10.77.0.201') },
      ...settings,
    },
  };
  const script = new URL('./dhcp-server-process.ts', import.meta.url);
  const server = startJsonLines<DhcpEvent>(namespace, script, argument);
  await server.waitFor(({ event }) => event === 'listening');
  return server;
}
