import { readFileSync } from 'node:fs';
import { type MacAddress, parseMacAddress } from '../boot/mac-address.ts';

/** Linux's ARP table: which network card has which IPv4 address on our link. */
export function parseNeighbourTable(text: string): Map<string, MacAddress> {
  const table = new Map<string, MacAddress>();
  for (const line of text.split('\n').slice(1)) {
    const [address, , flags, mac] = line.split(/\s+/);
    const parsed = parseMacAddress(mac ?? '');
    // Flag 0x2: the entry is complete.
    if (address !== undefined && parsed !== undefined && (Number(flags) & 2) === 2)
      table.set(address, parsed);
  }
  return table;
}

/** MAC address of a neighbour; its IP address again where the kernel knows none (a router in between). */
export function machineAt(address: string): string {
  const ipv4 = address.replace(/^::ffff:/, '');
  try {
    return parseNeighbourTable(readFileSync('/proc/net/arp', 'utf8')).get(ipv4) ?? ipv4;
  } catch {
    return ipv4;
  }
}
