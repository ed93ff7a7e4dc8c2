import { RekindleError } from '#base/errors.ts';
import { callTool, runTool } from '#base/run-tool.ts';
import type { AddressWanted } from './dhcp-client.ts';
import type { Lease } from './lease.ts';
import { waitFor } from './wait-for.ts';

const busybox = { command: 'busybox', debianPackage: 'busybox-static' };
const ip = { command: 'ip', debianPackage: 'iproute2' };

export interface FixedAddress {
  /** With prefix length. */
  readonly address: string;
  readonly router: string | undefined;
  /** Whom this machine wants to reach. */
  readonly server: string;
}

/**
 * Takes a fixed address. The switch port forwards when the neighbour that all traffic goes to (the server, or the
 * router in front of it) answers ARP; only then can it be told whether somebody has the address already (RFC 5227).
 * @throws RekindleError `unexpected`: no neighbour answered in time, or the address is somebody else's
 */
export async function takeFixedAddress(
  { address: written, router, server }: FixedAddress,
  { interfaceName, mac, deadline, waitSeconds, say }: AddressWanted,
): Promise<Lease> {
  const [address = '', prefix = ''] = written.split('/');
  const prefixLength = Number(prefix);
  const neighbour = isInSubnet(server, address, prefixLength) ? server : router;
  if (neighbour === undefined) {
    throw new RekindleError('unexpected', `taking the address ${written} on ${interfaceName}`, {
      cause: new Error(`the recovery service ${server} is in another subnet, and no router is set`),
      next: 'Set the router in front of it: rekindle station set NAME --router ADDRESS.',
    });
  }
  const answers = await waitFor(
    async () => ((await whoHas(interfaceName, neighbour)) === undefined ? undefined : true),
    deadline,
    () =>
      say(
        `${interfaceName} has a link, but ${neighbour} does not answer yet: the switch port may not forward ` +
          'yet (spanning tree), or it belongs to another network.',
      ),
  );
  if (answers === undefined) {
    throw new RekindleError('unexpected', `reaching ${neighbour} on ${interfaceName} (${mac})`, {
      cause: new Error(`it did not answer within ${waitSeconds} s`),
      next: "Check the switch port and the station's VLAN, address and router (rekindle station show), then try again.",
    });
  }
  const owner = await whoHas(interfaceName, address);
  if (owner !== undefined) {
    throw new RekindleError('unexpected', `taking the address ${written} on ${interfaceName} (${mac})`, {
      cause: new Error(`${owner} has that address`),
      next: 'Take that machine off the network, or give the station another address (rekindle station set NAME --fixed-address).',
    });
  }
  const doing = `taking the address ${written}`;
  await runTool(doing, ip, ['addr', 'replace', written, 'dev', interfaceName]);
  if (router !== undefined) {
    await runTool(doing, ip, ['route', 'replace', 'default', 'via', router, 'dev', interfaceName]);
  }
  return { address, prefixLength, router };
}

/** MAC of whoever answers an ARP probe for the address; the probe claims no address of its own. */
async function whoHas(interfaceName: string, address: string): Promise<string | undefined> {
  const question = ['arping', '-D', '-c', '2', '-w', '2', '-I', interfaceName, address];
  const { stdout } = await callTool(`asking who has ${address}`, busybox, question);
  return /\[([0-9a-f:]{17})\]/i.exec(stdout.toString())?.[1]?.toLowerCase();
}

function isInSubnet(host: string, address: string, prefixLength: number): boolean {
  const number = (text: string) => text.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const size = 2 ** (32 - prefixLength);
  return Math.floor(number(host) / size) === Math.floor(number(address) / size);
}
