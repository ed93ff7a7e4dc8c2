import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { findArmed } from '#pxe-server/stations/arming.ts';
import { judgeStationPack } from '#pxe-server/stations/judge-station-pack.ts';
import { type RehearsalState, readLastRehearsal } from '#pxe-server/stations/last-rehearsal.ts';
import { turnsOf } from '#pxe-server/stations/loader-turn.ts';
import { readSighting } from '#pxe-server/stations/sightings.ts';
import { loaderOf, type Station } from '#pxe-server/stations/station.ts';
import type { OpenSite } from '../../site-option.ts';

/** What `station list` and `station show` both say of a station. */
export async function summaryOf({ state, paths, configuration }: OpenSite, station: Station) {
  const { system, board } = station.passport;
  const pack = await judgeStationPack(paths, station, configuration.share);
  return {
    name: station.name,
    address: station.address ?? null,
    system: [system.vendor, system.product].filter(Boolean).join(' ') || board.product,
    driverPack: { state: pack.state, reasons: pack.reasons },
    armed: findArmed(state, station.name) ?? null,
    loader: loaderOf(station, configuration.boot.loader),
    loaders: turnsOf(state, station, configuration.boot.loader),
    terminalBus: station.onTerminalBus,
    network: station.network,
    /** Null: not seen since it was registered. */
    drift: readSighting(state, station)?.drift ?? null,
  };
}

export async function rehearsalOf(
  { paths, configuration }: OpenSite,
  station: string,
): Promise<RehearsalState> {
  const { validDays } = configuration.rehearsals;
  return readLastRehearsal(paths, station, await readSigningPublicKey(paths), { validDays, now: new Date() });
}
