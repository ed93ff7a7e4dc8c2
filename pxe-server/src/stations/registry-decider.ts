import type { BootDecider, BootTarget, Machine, NotForUs, StationAddress } from '../boot/boot-decider.ts';
import { ipv4 } from '../boot/ipv4-address.ts';
import type { Configuration } from '../config/configuration.ts';
import { hasCaptured } from '../jobs/job-store.ts';
import type { State } from '../site/state.ts';
import { currentEnrolment } from './enrolment-window.ts';
import type { Station } from './station.ts';
import { findStation, findStationByMac, findStationByUuid } from './station-registry.ts';

const notKnown: NotForUs = {
  kind: 'not-for-us',
  reason: 'no station has this network card, and no enrolment window is open',
};

/** What `machine` is, as far as a boot request can say: by network card, else by the system's UUID. */
export function stationOf(state: State, machine: Pick<Machine, 'mac' | 'uuid'>): Station | undefined {
  const { mac, uuid } = machine;
  return findStationByMac(state, mac) ?? (uuid === undefined ? undefined : findStationByUuid(state, uuid));
}

/** Network cards of stations whose own card was replaced; they are few, and asked for again at every boot. */
const rememberedCards = 256;

/** Policy over the registry as it is at the moment of the question. */
export function createRegistryDecider(state: State, { dhcp }: Pick<Configuration, 'dhcp'>): BootDecider {
  // An address is asked for by MAC alone, and the runtime's own DHCP client sends no UUID.
  const replacedCards = new Map<string, string>();
  const remember = (mac: string, station: Station | undefined) => {
    replacedCards.delete(mac);
    if (station === undefined || findStationByMac(state, mac) !== undefined) return;
    const [oldest] = replacedCards.keys();
    if (replacedCards.size >= rememberedCards && oldest !== undefined) replacedCards.delete(oldest);
    replacedCards.set(mac, station.name);
  };

  return {
    targetFor(machine): BootTarget | NotForUs {
      const station = stationOf(state, machine);
      if (machine.uuid !== undefined) remember(machine.mac, station);
      const window = currentEnrolment(state);
      if (station === undefined) {
        const open = window !== undefined && window.station === undefined;
        return open ? { kind: 'runtime', purpose: 'enrolment' } : notKnown;
      }
      return {
        kind: 'runtime',
        purpose: isForEnrolment(state, station, window) ? 'enrolment' : 'recovery',
        ...(station.loaderDriver === undefined ? {} : { loaderDriver: station.loaderDriver }),
      };
    },

    addressFor(mac) {
      const station = findStationByMac(state, mac) ?? findStation(state, replacedCards.get(mac) ?? '');
      if (station === undefined) {
        const window = currentEnrolment(state);
        return window !== undefined && window.station === undefined ? { kind: 'enrolment-pool' } : notKnown;
      }
      if (station.address === undefined) {
        return { kind: 'not-for-us', reason: `station ${station.name} has no address in the registry` };
      }
      return {
        kind: 'fixed',
        ip: ipv4(station.address),
        hostName: station.computerName,
        ...(dhcp.router === undefined ? {} : { router: ipv4(dhcp.router) }),
        ...(dhcp.dns.length === 0 ? {} : { dns: dhcp.dns.map(ipv4) }),
      } satisfies StationAddress;
    },
  };
}

/**
 * A station with an image is recovered, also while a window is open for other machines, unless the window
 * names it. One whose first capture was interrupted gets its second chance.
 */
function isForEnrolment(
  state: State,
  station: Station,
  window: ReturnType<typeof currentEnrolment>,
): boolean {
  if (window === undefined) return false;
  if (window.station !== undefined) return window.station.toLowerCase() === station.name.toLowerCase();
  return !hasCaptured(state, station.name);
}
