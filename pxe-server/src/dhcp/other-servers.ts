import * as z from 'zod';
import type { State } from '../site/state.ts';

/** A DHCP server that is not ours, on a network that we serve. */
export interface OtherServer {
  readonly address: string;
  readonly lastSeen: Date;
  /** How we know: a sentence without a full stop. */
  readonly how: string;
}

const rowSchema = z.object({ address: z.string(), last_seen: z.int(), how: z.string() }).transform(
  (row): OtherServer => ({
    address: row.address,
    lastSeen: new Date(row.last_seen),
    how: row.how,
  }),
);

/** Every machine's REQUEST names its server: that often is enough. */
const noteAgainMs = 60_000;
/** Whoever sends us packets must not fill the disk. */
const keptServers = 64;

/** @returns whether nobody has seen it before */
export function noteOtherServer(state: State, address: string, how: string, now = Date.now()): boolean {
  const known = state.prepare('SELECT last_seen FROM dhcp_servers WHERE address = ?').get(address);
  if (known !== undefined && now - Number(known['last_seen']) < noteAgainMs) return false;
  state
    .prepare(
      `INSERT INTO dhcp_servers (address, first_seen, last_seen, how) VALUES (?1, ?2, ?2, ?3)
       ON CONFLICT (address) DO UPDATE SET last_seen = ?2, how = ?3`,
    )
    .run(address, now, how);
  if (known === undefined) {
    state
      .prepare(
        `DELETE FROM dhcp_servers WHERE address NOT IN
         (SELECT address FROM dhcp_servers ORDER BY last_seen DESC LIMIT ?)`,
      )
      .run(keptServers);
  }
  return known === undefined;
}

/** Newest first. */
export function listOtherServers(state: State, since = 0): OtherServer[] {
  return state
    .prepare('SELECT address, last_seen, how FROM dhcp_servers WHERE last_seen >= ? ORDER BY last_seen DESC')
    .all(since)
    .map((row) => rowSchema.parse(row));
}
