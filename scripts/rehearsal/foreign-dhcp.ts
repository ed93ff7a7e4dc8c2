import { spawn } from 'node:child_process';
import path from 'node:path';
import { type LabNetwork, labServerAddress, relayedNetwork } from './lab-network.ts';

/** The plant's own DHCP server: gives every address and has never heard of us. */
export interface ForeignDhcp extends AsyncDisposable {
  readonly address: string;
  /** File in which it writes down whom it gave an address. */
  readonly leases: string;
}

/**
 * dnsmasq on a computer of its own, 10.77.0.2: addresses and nothing about booting. With `relayed`, for the segment
 * behind the relay too.
 */
export async function startForeignDhcp(
  network: LabNetwork,
  folder: string,
  { relayed = false }: { readonly relayed?: boolean } = {},
): Promise<ForeignDhcp> {
  const host = await network.addHost(`${foreignDhcpAddress}/24`);
  const leases = path.join(folder, 'foreign.leases');
  const ranges = relayed
    ? ['--dhcp-range=10.88.0.150,10.88.0.159,255.255.255.0', '--dhcp-option=option:router,10.88.0.1']
    : ['--dhcp-range=10.77.0.150,10.77.0.159'];
  const [program, ...rest] = host.inside([
    ...['sh', '-c', `ip route replace ${relayedNetwork} via 10.77.0.254; exec dnsmasq "$@"`],
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--no-ping', '--user=root'],
    ...[`--interface=${host.interfaceName}`, '--bind-interfaces', '--dhcp-authoritative'],
    ...[...ranges, `--dhcp-leasefile=${leases}`],
  ]);
  const server = spawn(program, rest, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve, reject) => {
    server.once('exit', () => resolve());
    server.once('error', reject);
  });
  return {
    address: foreignDhcpAddress,
    leases,
    [Symbol.asyncDispose]: () => {
      server.kill();
      return ended;
    },
  };
}

const foreignDhcpAddress = '10.77.0.2';

/** Whom a relay asks: us, and in proxy mode the other server as well. */
export function relayedServers(mode: 'reservation' | 'proxy'): string[] {
  return mode === 'proxy' ? [foreignDhcpAddress, labServerAddress] : [labServerAddress];
}
