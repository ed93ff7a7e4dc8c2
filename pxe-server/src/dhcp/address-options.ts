import type { StationAddress } from '../boot/boot-decider.ts';
import { ipv4FromNumber, ipv4ToNumber } from '../boot/ipv4-address.ts';
import { optionCode } from './option-code.ts';
import { addresses, text, uint32 } from './option-values.ts';
import type { DhcpSettings } from './settings.ts';

type Option = readonly [number, Uint8Array];

/** Lease time and the two timers of RFC 2131 section 4.4.5, said explicitly because some clients guess. */
export function leaseOptions(leaseSeconds: number): Option[] {
  return [
    [optionCode.leaseTime, uint32(leaseSeconds)],
    [optionCode.renewalTime, uint32(Math.floor(leaseSeconds / 2))],
    [optionCode.rebindingTime, uint32(Math.floor((leaseSeconds * 7) / 8))],
  ];
}

/** What a machine needs to use its address. The mask comes before the router (RFC 2132 section 3.3). */
export function addressOptions(address: StationAddress, settings: DhcpSettings): Option[] {
  const netmask = address.netmask ?? settings.netmask;
  const broadcast = ipv4FromNumber((ipv4ToNumber(address.ip) | ~ipv4ToNumber(netmask)) >>> 0);
  const options: Option[] = [[optionCode.subnetMask, addresses(netmask)]];
  if (address.router !== undefined) options.push([optionCode.router, addresses(address.router)]);
  if (address.dns !== undefined && address.dns.length > 0) {
    options.push([optionCode.domainNameServer, addresses(...address.dns)]);
  }
  if (address.hostName !== undefined) options.push([optionCode.hostName, text(address.hostName)]);
  options.push([optionCode.broadcastAddress, addresses(broadcast)]);
  return options;
}
