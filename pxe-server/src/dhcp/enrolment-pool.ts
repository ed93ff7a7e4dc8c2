import { type Ipv4Address, ipv4FromNumber, ipv4ToNumber } from '../boot/ipv4-address.ts';
import type { MacAddress } from '../boot/mac-address.ts';
import type { Lease, LeaseStore } from './lease-store.ts';

/**
 * Leases of machines that are being enrolled. What was confirmed or declined is in the store and outlives the
 * service; an offer is a promise of a minute and is not. Times are milliseconds of one clock.
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

export interface AddressPoolRange {
  readonly first: Ipv4Address;
  readonly last: Ipv4Address;
}

export function createEnrolmentPool(range: AddressPoolRange | undefined, store: LeaseStore): EnrolmentPool {
  const addresses = range === undefined ? [] : addressesOf(range);
  const own = new Set(addresses);
  const leases = new Map<Ipv4Address, Lease>(Array.from(store.read()).filter(([each]) => own.has(each)));

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
    confirm(mac, address, until) {
      leases.set(address, { mac, until });
      store.write(address, { mac, until });
    },
    release(mac, address) {
      if (!holds(mac, address)) return false;
      leases.delete(address);
      store.remove(address);
      return true;
    },
    decline(mac, address, now) {
      if (!holds(mac, address)) return false;
      const declined = { mac: 'declined', until: now + declinedMs } as const;
      leases.set(address, declined);
      store.write(address, declined);
      return true;
    },
  };
}

function addressesOf({ first, last }: AddressPoolRange): Ipv4Address[] {
  const start = ipv4ToNumber(first);
  const length = Math.max(0, ipv4ToNumber(last) - start + 1);
  return Array.from({ length }, (_, index) => ipv4FromNumber(start + index));
}
