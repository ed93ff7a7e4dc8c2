import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { type Lease, leaseScript, parseLease } from './lease.ts';
import { waitFor } from './wait-for.ts';

export interface AddressWanted {
  /** The interface that gets it: the card, or its VLAN. */
  readonly interfaceName: string;
  readonly mac: string;
  readonly deadline: number;
  readonly waitSeconds: number;
  readonly say: (sentence: string) => void;
  /** Where script and lease lie. */
  readonly folder: string;
}

let dhcpClient: ChildProcess | undefined;

/**
 * An address by DHCP (busybox udhcpc, which stays and renews the lease).
 * @throws RekindleError `unexpected`: nobody answered in time
 */
export async function askForAddress(wanted: AddressWanted): Promise<Lease> {
  const { interfaceName, mac, deadline, waitSeconds, say, folder } = wanted;
  await mkdir(folder, { recursive: true });
  const leaseFile = join(folder, 'lease');
  const script = join(folder, 'udhcpc-script');
  await writeFile(script, leaseScript, { mode: 0o755 });
  await rm(leaseFile, { force: true });
  stopDhcpClient();
  const client = spawn(
    'busybox',
    ['udhcpc', '-f', '-i', interfaceName, '-s', script, '-t', '1000', '-T', '3', '-A', '3'],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env['PATH'] ?? '', LEASE: leaseFile } },
  );
  dhcpClient = client;
  let lastWords = '';
  client.stderr.on('data', (bytes: Buffer) => {
    lastWords = `${lastWords}${bytes.toString('utf8')}`.slice(-500);
  });
  client.on('error', (error) => {
    lastWords = error.message;
  });

  const readLease = async () => parseLease(await readFile(leaseFile, 'utf8').catch(() => ''));
  const lease = await waitFor(readLease, deadline, () =>
    say(
      `${interfaceName} has a link but no address yet: the switch port may not forward yet (spanning tree), ` +
        'or no DHCP server answers.',
    ),
  );
  if (lease !== undefined) return lease;
  client.kill();
  throw new RekindleError('unexpected', `asking for an address on ${interfaceName} (${mac})`, {
    cause: new Error(`no DHCP server answered within ${waitSeconds} s; udhcpc said: ${lastWords.trim()}`),
    next:
      'Make the switch port an edge port (portfast), check that the DHCP server runs and which VLAN the port ' +
      'carries (rekindle station set NAME --vlan, --fixed-address), then try again.',
  });
}

/** Ends the DHCP client; the address stays. */
export function stopDhcpClient(): void {
  dhcpClient?.kill();
  dhcpClient = undefined;
}
