import type { BootDecider, BootTarget, Machine, NotForUs, StationAddress } from '../boot/boot-decider.ts';
import { type Ipv4Address, ipv4, isInSubnet, netmaskOf } from '../boot/ipv4-address.ts';
import type { MacAddress } from '../boot/mac-address.ts';
import type { Configuration } from '../config/configuration.ts';
import { hasCaptured } from '../jobs/job-store.ts';
import type { State } from '../site/state.ts';
import { findArmed } from './arming.ts';
import { awaitsApproval, currentEnrolment, mayEnrol } from './enrolment-window.ts';
import { loaderNow } from './loader-turn.ts';
import type { Station } from './station.ts';
import { findAddressByMac, findStation, findStationByMac, findStationByUuid } from './station-registry.ts';

const notKnown: NotForUs = {
  kind: 'not-for-us',
  reason: 'no station has this network card, and no enrolment window is open',
};

/** Why an unknown machine may not boot; undefined: it may, to be enrolled. */
function enrolling(window: ReturnType<typeof currentEnrolment>, mac: MacAddress): NotForUs | undefined {
  switch (mayEnrol(window, mac)) {
    case 'yes':
      return undefined;
    case 'no-window':
      return notKnown;
    case 'not-approved':
      return { kind: 'not-for-us', reason: `it ${awaitsApproval}: rekindle enrol approve ${mac}` };
  }
}

/** What `machine` is, as far as a boot request can say: by network card, else by the system's UUID. */
export function stationOf(state: State, machine: Pick<Machine, 'mac' | 'uuid'>): Station | undefined {
  const { mac, uuid } = machine;
  return findStationByMac(state, mac) ?? (uuid === undefined ? undefined : findStationByUuid(state, uuid));
}

/** Network cards of stations whose own card was replaced; they are few, and asked for again at every boot. */
const rememberedCards = 256;

/** Policy over the registry and the configuration as they are at the moment of the question. */
export function createRegistryDecider(
  state: State,
  configuration: Pick<Configuration, 'dhcp' | 'boot'>,
): BootDecider {
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
      const known = stationOf(state, machine);
      if (machine.uuid !== undefined) remember(machine.mac, known);
      // GRUB and PXELINUX ask by MAC address alone, after firmware that said the UUID too.
      const station = known ?? findStation(state, replacedCards.get(machine.mac) ?? '');
      const window = currentEnrolment(state);
      const loads = () => loaderNow(state, machine, station, configuration.boot.loader);
      if (station === undefined) {
        return enrolling(window, machine.mac) ?? { kind: 'runtime', purpose: 'enrolment', ...loads() };
      }
      if (isForEnrolment(state, station, window)) {
        return { kind: 'runtime', purpose: 'enrolment', ...loads() };
      }
      // Whoever armed it asked for it; everybody else has to press a key, or a wrong boot order would never end.
      if (findArmed(state, station.name) === undefined) return { kind: 'menu', ...loads() };
      return { kind: 'runtime', purpose: 'recovery', ...loads() };
    },

    addressFor(mac) {
      const station = findAddressByMac(state, mac) ?? findStation(state, replacedCards.get(mac) ?? '');
      if (station === undefined) {
        return enrolling(currentEnrolment(state), mac) ?? { kind: 'enrolment-pool' };
      }
      if (station.address === undefined) {
        return { kind: 'not-for-us', reason: `station ${station.name} has no address in the registry` };
      }
      const ip = ipv4(station.address);
      return {
        kind: 'fixed',
        ip,
        hostName: station.computerName,
        ...networkOf(ip, configuration.dhcp),
      } satisfies StationAddress;
    },
  };
}

/** What a station is told about its network: that of a relay which holds its address, else the served one's. */
function networkOf(
  ip: Ipv4Address,
  dhcp: Configuration['dhcp'],
): Pick<StationAddress, 'netmask' | 'router' | 'dns'> {
  for (const { network, router, dns = dhcp.dns } of dhcp.networks) {
    const [first = '', prefix] = network.split('/');
    const netmask = netmaskOf(Number(prefix));
    if (!isInSubnet(ip, ipv4(first), netmask)) continue;
    return {
      netmask,
      ...(router === undefined ? {} : { router: ipv4(router) }),
      ...(dns.length === 0 ? {} : { dns: dns.map(ipv4) }),
    };
  }
  return {
    ...(dhcp.router === undefined ? {} : { router: ipv4(dhcp.router) }),
    ...(dhcp.dns.length === 0 ? {} : { dns: dhcp.dns.map(ipv4) }),
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
