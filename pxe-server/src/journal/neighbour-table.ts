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

/** Machines behind a router, which the kernel's table does not have; the newest last. */
const remembered = new Map<string, MacAddress>();
const rememberedMachines = 1024;

/** What a machine told us about itself: the address that it was given, or the card in its request. */
export function rememberMachine(address: string, mac: MacAddress): void {
  const ipv4 = withoutPrefix(address);
  remembered.delete(ipv4);
  const [oldest] = remembered.keys();
  if (remembered.size >= rememberedMachines && oldest !== undefined) remembered.delete(oldest);
  remembered.set(ipv4, mac);
}

/** MAC address of a neighbour, or of a machine that told us; its IP address again where nobody knows. */
export function machineAt(address: string): string {
  const ipv4 = withoutPrefix(address);
  return readNeighbours().get(ipv4) ?? remembered.get(ipv4) ?? ipv4;
}

function readNeighbours(): ReadonlyMap<string, MacAddress> {
  try {
    return parseNeighbourTable(readFileSync('/proc/net/arp', 'utf8'));
  } catch {
    return new Map();
  }
}

/** Node writes IPv4 addresses of dual-stack sockets as `::ffff:10.77.0.1`. */
function withoutPrefix(address: string): string {
  return address.replace(/^::ffff:/, '');
}
