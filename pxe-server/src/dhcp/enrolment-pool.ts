import { type Ipv4Address, ipv4FromNumber, ipv4ToNumber } from '../boot/ipv4-address.ts';
import type { MacAddress } from '../boot/mac-address.ts';

/**
 * Leases of machines that are being enrolled. Kept in memory: after a restart a client that still uses a pool
 * address gets it back by asking for it. Times are milliseconds of one clock.
 */
export interface EnrolmentPool {
  /** The address of `mac`: the one it holds, the one it wishes when free, or the first free one. */
  offer(mac: MacAddress, wish: Ipv4Address | undefined, now: number): Ipv4Address | undefined;
  /** The unexpired lease of `mac`. */
  held(mac: MacAddress, now: number): Ipv4Address | undefined;
  confirm(mac: MacAddress, address: Ipv4Address, until: number): void;
  release(mac: MacAddress, address: Ipv4Address): boolean;
  /** Somebody else uses the address: it is left out for a while. */
  decline(mac: MacAddress, address: Ipv4Address, now: number): boolean;
}

/** An offer keeps its address this long for the REQUEST. */
const offerMs = 60_000;
const declinedMs = 3_600_000;

interface Lease {
  readonly mac: MacAddress | 'declined';
  readonly until: number;
}

export function createEnrolmentPool(range?: { first: Ipv4Address; last: Ipv4Address }): EnrolmentPool {
  const leases = new Map<Ipv4Address, Lease>();
  const addresses = range === undefined ? [] : addressesOf(range);

  const held: EnrolmentPool['held'] = (mac, now) =>
    leases.entries().find(([, lease]) => lease.mac === mac && lease.until > now)?.[0];
  const isFree = (address: Ipv4Address, now: number) => (leases.get(address)?.until ?? 0) <= now;
  const holds = (mac: MacAddress, address: Ipv4Address) => leases.get(address)?.mac === mac;

  return {
    held,
    offer(mac, wish, now) {
      const wished = addresses.find((address) => address === wish && isFree(address, now));
      const address = held(mac, now) ?? wished ?? addresses.find((candidate) => isFree(candidate, now));
      if (address === undefined) return undefined;
      leases.set(address, { mac, until: Math.max(now + offerMs, leases.get(address)?.until ?? 0) });
      return address;
    },
    confirm: (mac, address, until) => void leases.set(address, { mac, until }),
    release: (mac, address) => holds(mac, address) && leases.delete(address),
    decline(mac, address, now) {
      if (!holds(mac, address)) return false;
      leases.set(address, { mac: 'declined', until: now + declinedMs });
      return true;
    },
  };
}

function addressesOf({ first, last }: { first: Ipv4Address; last: Ipv4Address }): Ipv4Address[] {
  const start = ipv4ToNumber(first);
  const length = Math.max(0, ipv4ToNumber(last) - start + 1);
  return Array.from({ length }, (_, index) => ipv4FromNumber(start + index));
}
