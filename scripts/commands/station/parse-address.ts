import { InvalidArgumentError } from 'commander';
import { parseIpv4Address } from '#pxe-server/boot/ipv4-address.ts';

/** An IPv4 address of a station, as the command line takes it. */
export function parseAddress(text: string): string {
  const address = parseIpv4Address(text);
  if (address === undefined) throw new InvalidArgumentError('Write an address as 10.77.0.20.');
  return address;
}
