import type * as z from 'zod';
import type { stationSummarySchema } from '#contract/api.ts';
import { describeRecognition } from '#images/passport/describe-recognition.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { recogniseStation } from '#images/passport/recognise-station.ts';
import type { State } from '../site/state.ts';
import { recordSighting } from './sightings.ts';
import { getStation, listStations } from './station-registry.ts';

export type StationSummary = z.infer<typeof stationSummarySchema>;

/**
 * Which station a machine is, by a quorum of facts of its passport. Undefined: none of ours, or more than one,
 * which is no station either, because nobody could say whose image belongs there.
 */
export function recogniseMachine(state: State, passport: HardwarePassport): StationSummary | undefined {
  return lookAtMachine(state, passport).station;
}

export interface MachineLook {
  readonly station: StationSummary | undefined;
  /** What it shares with stations that it is not, each a sentence for the technician. */
  readonly oddities: readonly string[];
}

export function lookAtMachine(state: State, passport: HardwarePassport): MachineLook {
  const stations = listStations(state);
  const recognition = recogniseStation(passport, stations);
  const oddities = describeRecognition(passport, recognition, stations);
  if (recognition.kind !== 'recognised') return { station: undefined, oddities };
  const station = { name: getStation(state, recognition.name).name, recognisedBy: [...recognition.by] };
  return { station, oddities };
}

/** Recognises a machine that boots or captures now, and keeps how it looks. */
export function meetMachine(state: State, passport: HardwarePassport): MachineLook {
  const look = lookAtMachine(state, passport);
  if (look.station !== undefined) recordSighting(state, getStation(state, look.station.name), passport);
  return look;
}
