import type { HardwarePassport } from './hardware-passport.ts';
import { compareIdentity, isSameUnit } from './identity-facts.ts';

export interface RegisteredStation {
  readonly name: string;
  readonly passport: HardwarePassport;
}

/** A station that has something in common with the machine, and what speaks against it. */
export interface StationLikeness {
  readonly name: string;
  readonly same: readonly string[];
  readonly different: readonly string[];
}

export type Recognition =
  | { readonly kind: 'recognised'; readonly name: string; readonly by: readonly string[] }
  /** No station has a quorum; those with single facts in common are named, most likely first. */
  | { readonly kind: 'unknown'; readonly alike: readonly StationLikeness[] }
  /** More than one has a quorum: cloned hardware, or a station registered twice. */
  | { readonly kind: 'ambiguous'; readonly alike: readonly StationLikeness[] };

/** Which registered station a machine is, by a quorum of facts and never by one alone. */
export function recogniseStation(
  machine: HardwarePassport,
  registered: readonly RegisteredStation[],
): Recognition {
  const alike = registered
    .map(({ name, passport }): StationLikeness => ({ name, ...compareIdentity(passport, machine) }))
    .filter(({ same }) => same.length > 0)
    .sort((a, b) => b.same.length - a.same.length || a.different.length - b.different.length);
  const quorate = alike.filter(isSameUnit);
  const [first] = quorate;
  if (first === undefined) return { kind: 'unknown', alike };
  if (quorate.length > 1) return { kind: 'ambiguous', alike: quorate };
  return { kind: 'recognised', name: first.name, by: first.same };
}
