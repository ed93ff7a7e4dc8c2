import * as z from 'zod';
import { comparePassports } from '#images/passport/compare-passports.ts';
import type { Difference } from '#images/passport/difference.ts';
import { type HardwarePassport, hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import type { State } from '../site/state.ts';
import type { Station } from './station.ts';

/** A difference between the registered passport and the machine as it was last seen, and since when it is there. */
export type Drift = Difference & { readonly since: Date };

export interface Sighting {
  readonly seenAt: Date;
  /** The machine as it was then. */
  readonly passport: HardwarePassport;
  readonly drift: readonly Drift[];
}

const sightingRowSchema = z.object({ seen_at: z.int(), passport: z.string(), since: z.string() });
const sinceSchema = z.record(z.string(), z.int());

/** Every boot and every capture: compares with the registered passport, and remembers what is new. */
export function recordSighting(
  state: State,
  station: Station,
  passport: HardwarePassport,
  at = new Date(),
): void {
  const before = readRow(state, station)?.since ?? {};
  const since = continueDrift(comparePassports(station.passport, passport), before, at.getTime());
  state
    .prepare(
      `INSERT INTO sightings (station, seen_at, passport, since) VALUES (?, ?, ?, ?)
       ON CONFLICT (station) DO UPDATE SET seen_at = excluded.seen_at, passport = excluded.passport, since = excluded.since`,
    )
    .run(station.name, at.getTime(), JSON.stringify(passport), JSON.stringify(since));
}

/** A difference that was there keeps its date, one that is new gets this one, one that is gone is forgotten. Pure. */
export function continueDrift(
  differences: readonly Difference[],
  before: Readonly<Record<string, number>>,
  at: number,
): Record<string, number> {
  return Object.fromEntries(differences.map((each) => [keyOf(each), before[keyOf(each)] ?? at]));
}

/**
 * Undefined for a station that has not been seen since it was registered. The comparison is made now: a part that was
 * confirmed meanwhile is no drift any more.
 */
export function readSighting(state: State, station: Station): Sighting | undefined {
  const row = readRow(state, station);
  if (row === undefined) return undefined;
  const drift = comparePassports(station.passport, row.passport).map((difference) => ({
    ...difference,
    since: new Date(row.since[keyOf(difference)] ?? row.seenAt.getTime()),
  }));
  return { seenAt: row.seenAt, passport: row.passport, drift };
}

function readRow(state: State, { name }: Station) {
  const row = state.prepare('SELECT seen_at, passport, since FROM sightings WHERE station = ?').get(name);
  if (row === undefined) return undefined;
  const parsed = sightingRowSchema.parse(row);
  return {
    seenAt: new Date(parsed.seen_at),
    passport: hardwarePassportSchema.parse(JSON.parse(parsed.passport)),
    since: sinceSchema.parse(JSON.parse(parsed.since)),
  };
}

const keyOf = ({ field, found }: Difference): string => `${field}\n${found}`;
