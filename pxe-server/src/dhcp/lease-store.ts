import * as z from 'zod';
import { type Ipv4Address, parseIpv4Address } from '../boot/ipv4-address.ts';
import { type MacAddress, parseMacAddress } from '../boot/mac-address.ts';
import type { State } from '../site/state.ts';

/** Who has a pool address, or that somebody else was found to use it. `until`: milliseconds since 1970. */
export interface Lease {
  readonly mac: MacAddress | 'declined';
  readonly until: number;
}

/** Leases that outlive the service. */
export interface LeaseStore {
  read(): ReadonlyMap<Ipv4Address, Lease>;
  write(address: Ipv4Address, lease: Lease): void;
  remove(address: Ipv4Address): void;
}

const rowSchema = z.object({
  address: z.string().transform((text) => parseIpv4Address(text) ?? z.NEVER),
  mac: z.string().transform((text) => (text === 'declined' ? text : (parseMacAddress(text) ?? z.NEVER))),
  until: z.int(),
});

/** In the state; leases that are over are dropped when the service starts. */
export function createLeaseStore(state: State, now = Date.now()): LeaseStore {
  state.prepare('DELETE FROM leases WHERE until <= ?').run(now);
  const write = state.prepare('INSERT OR REPLACE INTO leases (address, mac, until) VALUES (?, ?, ?)');
  const remove = state.prepare('DELETE FROM leases WHERE address = ?');
  return {
    read: () =>
      new Map(
        state
          .prepare('SELECT address, mac, until FROM leases')
          .all()
          .map((row) => rowSchema.parse(row))
          .map(({ address, mac, until }) => [address, { mac, until }]),
      ),
    write: (address, { mac, until }) => void write.run(address, mac, until),
    remove: (address) => void remove.run(address),
  };
}
