import type * as z from 'zod';
import type { stationSummarySchema } from '#contract/api.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { recogniseStation } from '#images/passport/recognise-station.ts';
import type { State } from '../site/state.ts';
import { getStation, listStations } from './station-registry.ts';

export type StationSummary = z.infer<typeof stationSummarySchema>;

/**
 * Which station a machine is, by a quorum of facts of its passport. Undefined: none of ours, or more than one,
 * which is no station either, because nobody could say whose image belongs there.
 */
export function recogniseMachine(state: State, passport: HardwarePassport): StationSummary | undefined {
  const recognised = recogniseStation(passport, listStations(state));
  if (recognised.kind !== 'recognised') return undefined;
  return { name: getStation(state, recognised.name).name, recognisedBy: [...recognised.by] };
}
