import { RekindleError } from '#base/errors.ts';
import { type StationNetwork, stationNetworkSchema } from '#contract/station-network.ts';
import { type StationName, stationNameSchema } from '#images/format/image-manifest.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import type { Loader } from '../boot/loader-name.ts';
import { inTransaction, prepared, type State } from '../site/state.ts';
import { parseStationRow, type Station, type StationRole } from './station.ts';

export function listStations(state: State): Station[] {
  return state.prepare('SELECT * FROM stations ORDER BY name').all().map(parseStationRow);
}

export function findStation(state: State, name: string): Station | undefined {
  const row = prepared(state, 'SELECT * FROM stations WHERE name = ?').get(name);
  return row === undefined ? undefined : parseStationRow(row);
}

/** @throws RekindleError `not-found` */
export function getStation(state: State, name: string): Station {
  const station = findStation(state, name);
  if (station !== undefined) return station;
  throw new RekindleError('not-found', `There is no station ${name}`, {
    next: '`rekindle station list` shows all stations.',
  });
}

/** The station that one of this network card belongs to: enough to answer a boot request, never to write. */
export function findStationByMac(state: State, mac: string): Station | undefined {
  const sql = 'SELECT stations.* FROM stations JOIN station_macs ON station = name WHERE mac = ?';
  const row = prepared(state, sql).get(mac);
  return row === undefined ? undefined : parseStationRow(row);
}

/** What DHCP says to one of its network cards; without its passport, because every packet asks. */
export function findAddressByMac(
  state: State,
  mac: string,
): Pick<Station, 'name' | 'address' | 'computerName'> | undefined {
  const sql = `SELECT name, address, computer_name AS computerName
    FROM stations JOIN station_macs ON station = name WHERE mac = ?`;
  const row = prepared(state, sql).get(mac) as AddressRow | undefined;
  if (row === undefined) return undefined;
  const { name, address, computerName } = row;
  return address === null ? { name, computerName } : { name, address, computerName };
}

/** What the table holds for certain (STRICT, NOT NULL, names checked by `addStation`): a schema would cost every packet 1 us. */
interface AddressRow {
  readonly name: StationName;
  readonly address: string | null;
  readonly computerName: string;
}

/** For a station whose network card was replaced. Placeholders that whole product lines share do not count. */
export function findStationByUuid(state: State, uuid: string): Station | undefined {
  const wanted = uuid.toLowerCase();
  if (isPlaceholder(wanted)) return undefined;
  const rows = state
    .prepare("SELECT * FROM stations WHERE lower(json_extract(passport, '$.system.uuid')) = ? LIMIT 2")
    .all(wanted);
  return rows.length === 1 ? parseStationRow(rows[0]) : undefined;
}

function isPlaceholder(uuid: string): boolean {
  return new Set(uuid.replaceAll('-', '')).size <= 1 || uuid.startsWith('03000200-0400-0500-0006');
}

export interface NewStation {
  readonly name: string;
  readonly passport: HardwarePassport;
  readonly address?: string;
  readonly computerName?: string;
  readonly role?: StationRole;
  readonly by: string;
}

/** @throws RekindleError `usage`: name, address or a network card is another station's */
export function addStation(state: State, station: NewStation): Station {
  const doing = `Adding station ${station.name}`;
  const name = stationNameSchema.safeParse(station.name);
  if (!name.success) throw new RekindleError('usage', `${doing}: ${name.error.issues[0]?.message ?? ''}`);
  return inTransaction(state, () => {
    if (findStation(state, name.data) !== undefined) {
      throw new RekindleError('usage', `${doing}: there is such a station already`, {
        next: 'Choose another name, or remove the old station: rekindle station remove NAME',
      });
    }
    const neighbour = listStations(state).find((each) => each.address === station.address);
    if (station.address !== undefined && neighbour !== undefined) {
      throw new RekindleError('usage', `${doing}: ${station.address} belongs to station ${neighbour.name}`);
    }
    state
      .prepare(
        `INSERT INTO stations (name, passport, address, computer_name, station_role, enrolled_at, enrolled_by)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        name.data,
        JSON.stringify(station.passport),
        station.address ?? null,
        station.computerName ?? name.data,
        station.role ?? 'client',
        Date.now(),
        station.by,
      );
    writeMacs(state, name.data, station.passport, doing);
    return getStation(state, name.data);
  });
}

/** Its images stay in the store. */
export function removeStation(state: State, name: string): void {
  state.prepare('DELETE FROM stations WHERE name = ?').run(getStation(state, name).name);
}

/** @param loader undefined: whatever the site and its passport say, as if nobody had ever set one */
export function setLoader(state: State, name: string, loader: Loader | undefined): void {
  const { name: station } = getStation(state, name);
  state.prepare('UPDATE stations SET loader = ? WHERE name = ?').run(loader ?? null, station);
}

export function setAddress(state: State, name: string, address: string): void {
  const { name: station } = getStation(state, name);
  state.prepare('UPDATE stations SET address = ? WHERE name = ?').run(address, station);
}

export function setRole(state: State, name: string, role: StationRole): void {
  const { name: station } = getStation(state, name);
  state.prepare('UPDATE stations SET station_role = ? WHERE name = ?').run(role, station);
}

export function setTerminalBus(state: State, name: string, onTerminalBus: boolean): void {
  const { name: station } = getStation(state, name);
  state.prepare('UPDATE stations SET terminal_bus = ? WHERE name = ?').run(onTerminalBus ? 1 : 0, station);
}

/** Replaces the whole record. @throws RekindleError `usage`: naming every setting that is wrong */
export function setNetwork(state: State, name: string, network: StationNetwork): void {
  const { name: station } = getStation(state, name);
  const parsed = stationNetworkSchema.safeParse(network);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new RekindleError('usage', `Changing the network of station ${station}: ${issues.join('; ')}`);
  }
  state.prepare('UPDATE stations SET network = ? WHERE name = ?').run(JSON.stringify(parsed.data), station);
}

/** @throws RekindleError `usage`: longer than a manifest and DHCP option 12 hold, or no host name */
export function setComputerName(state: State, name: string, computerName: string): void {
  const { name: station } = getStation(state, name);
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(computerName)) {
    throw new RekindleError('usage', `Changing station ${station}: "${computerName}" is no computer name`, {
      next: 'A computer name is letters, digits and hyphens, at most 63.',
    });
  }
  state.prepare('UPDATE stations SET computer_name = ? WHERE name = ?').run(computerName, station);
}

/** After a run: the parts that were replaced and confirmed belong to the station from now on. */
export function updatePassport(state: State, name: StationName, passport: HardwarePassport): void {
  inTransaction(state, () => {
    state.prepare('UPDATE stations SET passport = ? WHERE name = ?').run(JSON.stringify(passport), name);
    state.prepare('DELETE FROM station_macs WHERE station = ?').run(name);
    writeMacs(state, name, passport, `Updating the passport of station ${name}`);
  });
}

function writeMacs(state: State, name: StationName, passport: HardwarePassport, doing: string): void {
  for (const { mac } of passport.networkCards) {
    const owner = findStationByMac(state, mac);
    if (owner !== undefined && owner.name !== name) {
      throw new RekindleError('usage', `${doing}: network card ${mac} belongs to station ${owner.name}`, {
        next: 'If that station is gone, remove it: rekindle station remove NAME',
      });
    }
    state.prepare('INSERT OR REPLACE INTO station_macs (mac, station) VALUES (?, ?)').run(mac, name);
  }
}
