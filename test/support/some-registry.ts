import type { MacAddress } from '#pxe-server/boot/mac-address.ts';
import type { Configuration } from '#pxe-server/config/configuration.ts';
import { parseConfiguration } from '#pxe-server/config/parse-configuration.ts';
import { openState } from '#pxe-server/site/state.ts';
import { createRegistryDecider } from '#pxe-server/stations/registry-decider.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { somePassport } from './some-passport.ts';

/** A registry in memory with one station, and what a boot decider says from it. */

export const station = 'OS-SRV-1A';
export const knownMac = '52:54:00:00:00:01' as MacAddress;
export const newMac = '52:54:00:00:00:99' as MacAddress;
export const uuid = somePassport().system.uuid;

export function configurationOf(text: string): Configuration {
  const parsed = parseConfiguration(text);
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  return parsed.configuration;
}

export const reservation = configurationOf(
  'interface: eth1\ndhcp: {mode: reservation, stations: {from: 10.77.0.20, to: 10.77.0.21}, router: 10.77.0.1}\n',
);

export function registry() {
  const state = openState(':memory:');
  const added = addStation(state, {
    name: station,
    passport: somePassport(),
    address: '10.77.0.20',
    by: 'test',
  });
  return { state, added, decider: createRegistryDecider(state, reservation) };
}
