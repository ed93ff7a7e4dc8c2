import { execFileSync } from 'node:child_process';
import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { type Ipv4Address, ipv4, netmaskOf } from '../boot/ipv4-address.ts';
import { type Configuration, interfaceNames } from '../config/configuration.ts';

export interface ServedInterface {
  readonly name: string;
  readonly address: Ipv4Address;
  readonly netmask: Ipv4Address;
}

const ipAddressSchema = z.array(
  z.object({
    // Interfaces without an IPv4 address are empty objects in some versions.
    ifname: z.string().default(''),
    addr_info: z.array(z.object({ local: z.ipv4(), prefixlen: z.int().min(0).max(32) })).default([]),
  }),
);

/** `ip -json -4 address`; one entry an address. */
export function parseInterfaces(text: string): ServedInterface[] {
  return ipAddressSchema.parse(JSON.parse(text)).flatMap(({ ifname, addr_info }) =>
    addr_info.map(({ local, prefixlen }) => ({
      name: ifname,
      address: ipv4(local),
      netmask: netmaskOf(prefixlen),
    })),
  );
}

/**
 * Every interface with an IPv4 address, also one whose cable is not plugged in yet: Node's own list leaves
 * those out.
 */
export function listInterfaces(): ServedInterface[] {
  try {
    return parseInterfaces(execFileSync('ip', ['-json', '-4', 'address'], { encoding: 'utf8' }));
  } catch (cause) {
    throw new RekindleError('usage', 'Asking which network interfaces this machine has', {
      cause,
      next: 'Install the Debian package iproute2: apt-get install iproute2',
    });
  }
}

/** Every interface of the configuration. @throws RekindleError `usage` when one is not there */
export function findServedInterfaces(
  configuration: Pick<Configuration, 'interface' | 'address'>,
): ServedInterface[] {
  return interfaceNames(configuration).map((name) => findInterface(name, configuration.address));
}

/** @throws RekindleError `usage` when the interface, or the address on it, is not there */
function findInterface(name: string, address?: string): ServedInterface {
  const all = listInterfaces();
  const found = all.find((each) => each.name === name && (address === undefined || each.address === address));
  if (found !== undefined) return found;
  const what = address === undefined ? 'has no IPv4 address' : `does not have the address ${address}`;
  throw new RekindleError('usage', `The network interface ${name} is not there or ${what}`, {
    next: `This machine has: ${all.map((each) => `${each.name} ${each.address}`).join(', ')}. Set the interface up with a fixed IPv4 address, or name another (--interface of init, interface in rekindle.yaml).`,
  });
}
