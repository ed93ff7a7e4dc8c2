import * as z from 'zod';
import type { MacAddress } from '../boot/mac-address.ts';
import type { BareFirmware, IpxeLoader, LoaderTry } from '../boot/second-try.ts';
import { prepared, type State } from '../site/state.ts';

/** The last iPXE that each machine fetched, by network card and firmware: a machine may have BIOS and UEFI. */
export interface TryOfMachine extends LoaderTry {
  readonly firmware: BareFirmware;
}

const firmwares = ['bios', 'uefi-x64', 'uefi-http-x64'] as const satisfies readonly BareFirmware[];
const loaders = ['ipxe', 'ipxe-native'] as const satisfies readonly IpxeLoader[];

const rowSchema = z
  .object({
    firmware: z.enum(firmwares),
    loader: z.enum(loaders),
    fetched_at: z.int(),
    heard_at: z.int().nullable(),
  })
  .transform(
    ({ firmware, loader, fetched_at: fetchedAt, heard_at: heardAt }): TryOfMachine => ({
      ...{ firmware, loader, fetchedAt },
      ...(heardAt === null ? {} : { heardAt }),
    }),
  );

export function readTries(state: State, mac: string): TryOfMachine[] {
  const sql =
    'SELECT firmware, loader, fetched_at, heard_at FROM loader_tries WHERE mac = ? ORDER BY firmware';
  return prepared(state, sql)
    .all(mac)
    .map((row) => rowSchema.parse(row));
}

/** Asked for with every packet of a firmware. */
export function readTry(state: State, mac: string, firmware: BareFirmware): TryOfMachine | undefined {
  return readTries(state, mac).find((each) => each.firmware === firmware);
}

/** Machines that are no stations (to be enrolled, or with a replaced card) and are remembered. */
const keptOthers = 256;

export function writeFetch(state: State, mac: MacAddress, fetched: TryOfMachine): void {
  const { firmware, loader, fetchedAt, heardAt } = fetched;
  const isNew = readTry(state, mac, firmware) === undefined;
  prepared(
    state,
    `INSERT INTO loader_tries (mac, firmware, loader, fetched_at, heard_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (mac, firmware) DO UPDATE
     SET loader = excluded.loader, fetched_at = excluded.fetched_at, heard_at = excluded.heard_at`,
  ).run(mac, firmware, loader, fetchedAt, heardAt ?? null);
  if (isNew) forgetOldest(state);
}

/** Whoever asks while an enrolment window is open must not fill the disk, nor drive out what is known of a station. */
function forgetOldest(state: State): void {
  const ofOthers = 'FROM loader_tries WHERE mac NOT IN (SELECT mac FROM station_macs)';
  prepared(
    state,
    `DELETE ${ofOthers} AND (mac, firmware) NOT IN
     (SELECT mac, firmware ${ofOthers} ORDER BY fetched_at DESC LIMIT ?)`,
  ).run(keptOthers);
}

/**
 * iPXE does not say which file it was: the one that was fetched last. With drivers of its own it may speak over another
 * card than the one that the firmware fetched it with, so all cards of a station count as one machine.
 */
export function writeHeard(state: State, mac: MacAddress, at: number): void {
  prepared(
    state,
    `WITH cards AS (${cardsSql})
     UPDATE loader_tries SET heard_at = ?2 WHERE mac IN cards AND coalesce(heard_at, 0) < fetched_at
     AND fetched_at = (SELECT max(fetched_at) FROM loader_tries WHERE mac IN cards)`,
  ).run(mac, at);
}

/** The card ?1, and the others of its station. */
const cardsSql = `SELECT ?1 AS mac UNION SELECT others.mac FROM station_macs AS own
  JOIN station_macs AS others ON others.station = own.station WHERE own.mac = ?1`;

/** The network cards of the machine that has this one. A machine that is no station is known by one only. */
export function cardsOfMachine(state: State, mac: MacAddress): MacAddress[] {
  return prepared(state, cardsSql)
    .all(mac)
    .map((row) => row['mac'] as MacAddress);
}
