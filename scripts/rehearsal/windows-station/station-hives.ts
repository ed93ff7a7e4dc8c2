import { parseGuidText } from '#images/format/partition-table/guid.ts';
import { openHiveForWriting, type WritableHive } from '#runtime/hooks/windows/registry/open-hive.ts';
import { emptyHive } from './empty-hive.ts';

/** Registry hives of a station that has the shape of Windows: what the inspection and the hooks look for. */

export interface StationIdentity {
  readonly computerName: string;
  readonly domain: string;
  readonly productType: 'WinNT' | 'ServerNT' | 'LanmanNT';
  readonly sqlInstances: readonly string[];
  /** Of a controller; by DFSR when not said. `FRS to DFSR` was migrated and still has the old service. */
  readonly sysvol?: 'FRS' | 'FRS to DFSR';
  /** Of a controller: how often its directory was restored before. */
  readonly restoreCount?: number;
  /** Of a controller in which Windows has found a USN rollback. */
  readonly notWritable?: boolean;
  /** Volumes that have a letter besides C:, by it: `D:`. */
  readonly drives?: Readonly<Record<string, PlacedPartition | MbrPlace>>;
  /** Of a controller: drivers of its network cards; one when not said. */
  readonly networkDrivers?: readonly string[];
}

export interface PlacedPartition {
  readonly diskGuid: string;
  readonly partitionGuid: string;
}

export interface MbrPlace {
  readonly diskSignature: number;
  readonly startByte: number;
}

const filled = (fill: (hive: WritableHive) => void): Buffer => {
  using hive = openHiveForWriting(emptyHive(), 'new');
  fill(hive);
  return hive.toBytes();
};
const text = (value: string) => ({ type: 'string', value }) as const;
const number = (value: number) => ({ type: 'dword', value }) as const;

export function systemHive(identity: StationIdentity, place: PlacedPartition | MbrPlace): Buffer {
  const { computerName, domain, productType } = identity;
  return filled((hive) => {
    hive.write('Select', 'Current', number(1));
    hive.write('Select', 'Default', number(1));
    hive.write('Select', 'LastKnownGood', number(2));
    const set = 'ControlSet001';
    hive.write(`${set}\\Control\\ComputerName\\ComputerName`, 'ComputerName', text(computerName));
    hive.write(`${set}\\Control\\ProductOptions`, 'ProductType', text(productType));
    hive.write(`${set}\\Services\\Tcpip\\Parameters`, 'Domain', text(domain));
    hive.write(`${set}\\Services\\Tcpip\\Parameters`, 'Hostname', text(computerName.toLowerCase()));
    hive.write(`${set}\\Services\\LanmanServer`, 'Start', number(2));
    hive.write(`${set}\\Services\\LanmanServer`, 'DisplayName', text('Serveur réseau'));
    if (productType === 'LanmanNT') writeController(hive, set, identity);
    for (const [letter, volume] of Object.entries({ ...identity.drives, 'C:': place }))
      hive.write('MountedDevices', `\\DosDevices\\${letter}`, {
        type: 'binary',
        value: mountedDevice(volume),
      });
  });
}

function writeController(
  hive: WritableHive,
  set: string,
  { sysvol, restoreCount, notWritable, networkDrivers = ['e1iexpress'] }: StationIdentity,
): void {
  const parameters = `${set}\\Services\\NTDS\\Parameters`;
  hive.write(parameters, 'DSA Database file', text('C:\\Windows\\NTDS\\ntds.dit'));
  hive.write(parameters, 'DSA Working Directory', text('C:\\Windows\\NTDS'));
  if (restoreCount !== undefined) hive.write(parameters, 'DSA Previous Restore Count', number(restoreCount));
  if (notWritable === true) hive.write(parameters, 'Dsa Not Writable', number(4));
  if (sysvol !== 'FRS') {
    hive.write(`${set}\\Services\\DFSR`, 'Start', number(2));
    hive.write(`${set}\\Services\\DFSR`, 'DisplayName', text('DFS Replication'));
  }
  for (const [at, driver] of networkDrivers.entries()) {
    hive.write(`${set}\\Services\\${driver}`, 'Start', number(3));
    writeNetworkDevice(hive, `${set}\\Enum\\PCI\\VEN_8086&DEV_10D3\\3&11583659&0&${at}`, driver);
  }
  // What Windows has on every computer: a miniport without hardware. And a device that is no network card.
  hive.write(`${set}\\Services\\NdisWan`, 'Start', number(3));
  writeNetworkDevice(hive, `${set}\\Enum\\SWD\\MSRRAS\\MS_NDISWANIP`, 'NdisWan');
  const disk = `${set}\\Enum\\PCI\\VEN_8086&DEV_2922\\3&11583659&0&FA`;
  hive.write(disk, 'ClassGUID', text('{4d36e96a-e325-11ce-bfc1-08002be10318}'));
  hive.write(disk, 'Service', text('storahci'));
  hive.write(`${set}\\Services\\storahci`, 'Start', number(0));
  if (sysvol !== undefined) hive.write(`${set}\\Services\\NtFrs`, 'Start', number(2));
  if (sysvol === 'FRS to DFSR') {
    const migration = `${set}\\Services\\DFSR\\Parameters\\SysVols\\Migrating SysVols`;
    hive.write(migration, 'Local State', number(3));
  }
}

function writeNetworkDevice(hive: WritableHive, key: string, driver: string): void {
  hive.write(key, 'ClassGUID', text('{4d36e972-e325-11ce-bfc1-08002be10318}'));
  hive.write(key, 'Service', text(driver));
}

export function softwareHive({ sqlInstances }: StationIdentity): Buffer {
  return filled((hive) => {
    const version = 'Microsoft\\Windows NT\\CurrentVersion';
    hive.write(version, 'ProductName', text('Shape of Windows Server'));
    hive.write(version, 'EditionID', text('ServerStandard'));
    hive.write(version, 'CurrentBuildNumber', text('17763'));
    hive.write(version, 'UBR', number(1339));
    for (const name of sqlInstances)
      hive.write('Microsoft\\Microsoft SQL Server\\Instance Names\\SQL', name, text(`MSSQL10_50.${name}`));
  });
}

/** SAM and SECURITY: there, and with nothing in them. */
export function bareHive(): Buffer {
  return filled((hive) => hive.createKey('Domains'));
}

export interface StationLoader {
  readonly identifier: string;
  readonly description: string;
  readonly place: PlacedPartition | MbrPlace;
  readonly path: string;
}

export function bootStoreHive(
  bootManagerPlace: PlacedPartition | MbrPlace,
  loaders: readonly StationLoader[],
): Buffer {
  return filled((hive) => {
    const element = (object: string, id: string, value: Parameters<WritableHive['write']>[2]) =>
      hive.write(`Objects\\${object}\\Elements\\${id}`, 'Element', value);
    const device = (place: PlacedPartition | MbrPlace) =>
      ({ type: 'binary', value: deviceElement(place) }) as const;
    const manager = '{9dea862c-5cdd-4e70-acc1-f32b344d4795}';
    hive.write(`Objects\\${manager}\\Description`, 'Type', number(0x10100002));
    element(manager, '11000001', device(bootManagerPlace));
    element(manager, '12000002', text('\\EFI\\Microsoft\\Boot\\bootmgfw.efi'));
    element(manager, '23000003', text(loaders[0]?.identifier ?? ''));
    element(manager, '24000001', {
      type: 'multi-string',
      value: loaders.map(({ identifier }) => identifier),
    });
    for (const { identifier, description, place, path } of loaders) {
      hive.write(`Objects\\${identifier}\\Description`, 'Type', number(0x10200003));
      element(identifier, '11000001', device(place));
      element(identifier, '12000002', text(path));
      element(identifier, '12000004', text(description));
      element(identifier, '21000001', device(place));
      element(identifier, '22000002', text('\\Windows'));
    }
  });
}

function mountedDevice(place: PlacedPartition | MbrPlace): Buffer {
  if ('partitionGuid' in place)
    return Buffer.concat([Buffer.from('DMIO:ID:', 'latin1'), parseGuidText(place.partitionGuid)]);
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32LE(place.diskSignature, 0);
  bytes.writeBigUInt64LE(BigInt(place.startByte), 4);
  return bytes;
}

function deviceElement(place: PlacedPartition | MbrPlace): Buffer {
  const bytes = Buffer.alloc(88);
  bytes.writeUInt32LE(6, 0x10);
  bytes.writeUInt32LE(0x48, 0x18);
  if ('partitionGuid' in place) {
    parseGuidText(place.partitionGuid).copy(bytes, 0x20);
    parseGuidText(place.diskGuid).copy(bytes, 0x38);
    return bytes;
  }
  bytes.writeBigUInt64LE(BigInt(place.startByte), 0x20);
  bytes.writeUInt32LE(1, 0x34);
  bytes.writeUInt32LE(place.diskSignature, 0x38);
  return bytes;
}
