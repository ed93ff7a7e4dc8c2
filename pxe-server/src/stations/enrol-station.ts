import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { loaderOf, type Station } from './station.ts';
import { chooseStationAddress } from './station-address.ts';
import { buildStationPack } from './station-pack.ts';
import { addStation, listStations, removeStation } from './station-registry.ts';

export interface Enrolment {
  readonly name: string;
  readonly passport: HardwarePassport;
  readonly by: string;
  /** Reservation mode; absent: a free one from the configured range. */
  readonly address?: string;
}

/** Registers a station and builds its driver pack; without the pack there is no station either. */
export async function enrolStation(
  { state, configuration, paths }: Pick<ServiceContext, 'state' | 'configuration' | 'paths'>,
  { address: wished, ...enrolment }: Enrolment,
): Promise<Station> {
  const taken = new Set(listStations(state).flatMap(({ address }) => address ?? []));
  const needsOurs = loaderOf(enrolment, configuration.boot.loader) === 'signed-grub';
  const address = wished ?? chooseStationAddress(configuration, taken, needsOurs);
  const station = addStation(state, { ...enrolment, ...(address === undefined ? {} : { address }) });
  try {
    await buildStationPack(paths, station.name, station.passport);
    return station;
  } catch (error) {
    removeStation(state, station.name);
    throw error;
  }
}
