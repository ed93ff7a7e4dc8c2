import { broadcastAddress, type Ipv4Address, unspecifiedAddress } from '../boot/ipv4-address.ts';
import type { DhcpPacket } from './packet.ts';

export interface Endpoint {
  readonly address: Ipv4Address;
  readonly port: number;
}

export const serverPort = 67;
export const clientPort = 68;
export const bootServerPort = 4011;

/**
 * Where a reply on port 67 goes, RFC 2131 section 4.1: to the relay that forwarded the request, to the address
 * the client already uses, or to everybody. We never unicast to `yiaddr`: the client cannot answer ARP yet, and
 * every ROM takes a broadcast, also those that did not set the broadcast flag.
 */
export function destinationOf(request: DhcpPacket, isNak: boolean): Endpoint {
  if (request.giaddr !== unspecifiedAddress) return { address: request.giaddr, port: serverPort };
  if (request.ciaddr !== unspecifiedAddress && !isNak) return { address: request.ciaddr, port: clientPort };
  return { address: broadcastAddress, port: clientPort };
}

/**
 * Where a boot server's answer goes (PXE 2.1 section 2.2.3): back to the port it came from, because UEFI asks
 * from 4011 and BIOS ROMs ask from 68.
 */
export function bootServerDestination(request: DhcpPacket, source: Endpoint): Endpoint {
  if (source.address !== unspecifiedAddress) return source;
  return destinationOf(request, false);
}
