import type { ImagedWindows } from '#images/format/image-manifest.ts';
import type { Hive, KeyPath } from '../registry/open-hive.ts';

/** What an installation says about itself in its registry; '' where it says nothing. Goes into the image's manifest. */
export type WindowsFacts = ImagedWindows;

/** `ControlSet001`; null when the hive does not say which is in use, or it is not there. */
export function currentControlSet(system: Hive): KeyPath | null {
  const current = system.read('Select', 'Current');
  if (current?.type !== 'dword') return null;
  const key = `ControlSet${String(current.value).padStart(3, '0')}`;
  return system.hasKey(key) ? key : null;
}

const roles: Readonly<Record<string, WindowsFacts['role']>> = {
  WinNT: 'workstation',
  ServerNT: 'server',
  LanmanNT: 'domain-controller',
};

/** Null: the SYSTEM hive names no control set, so nothing in it counts. */
export function readWindowsFacts(system: Hive, software: Hive): WindowsFacts | null {
  const controlSet = currentControlSet(system);
  if (controlSet === null) return null;
  const version = 'Microsoft\\Windows NT\\CurrentVersion';
  const parameters = `${controlSet}\\Services\\Tcpip\\Parameters`;
  const build = text(software, version, 'CurrentBuildNumber') || text(software, version, 'CurrentBuild');
  const update = software.read(version, 'UBR');
  const instances = ['Microsoft', 'Wow6432Node\\Microsoft'].flatMap((below) =>
    software.listValues(`${below}\\Microsoft SQL Server\\Instance Names\\SQL`),
  );
  return {
    product: text(software, version, 'ProductName'),
    edition: text(software, version, 'EditionID'),
    build: update?.type === 'dword' ? `${build}.${update.value}` : build,
    computerName: text(system, `${controlSet}\\Control\\ComputerName\\ComputerName`, 'ComputerName'),
    domain: text(system, parameters, 'Domain') || text(system, parameters, 'NV Domain'),
    role: roles[text(system, `${controlSet}\\Control\\ProductOptions`, 'ProductType')] ?? 'unknown',
    sqlInstances: [...new Set(instances)].sort(),
  };
}

/** A drive letter's volume, as the SYSTEM hive remembers it (MountedDevices). */
export type RememberedVolume =
  | { readonly kind: 'gpt'; readonly partitionGuidBytes: Buffer }
  | { readonly kind: 'mbr'; readonly diskSignature: number; readonly startByte: number };

/** @param letter `C:` */
export function readMountedDevice(system: Hive, letter: string): RememberedVolume | null {
  const value = system.read('MountedDevices', `\\DosDevices\\${letter}`);
  if (value?.type !== 'binary') return null;
  const bytes = value.value;
  if (bytes.length === 24 && bytes.toString('latin1', 0, 8) === 'DMIO:ID:')
    return { kind: 'gpt', partitionGuidBytes: bytes.subarray(8) };
  if (bytes.length !== 12) return null;
  return { kind: 'mbr', diskSignature: bytes.readUInt32LE(0), startByte: Number(bytes.readBigUInt64LE(4)) };
}

/** Where a domain controller has its directory: `C:\Windows\NTDS\ntds.dit`. */
export function readDirectoryDatabase(system: Hive, controlSet: KeyPath): string {
  return text(system, `${controlSet}\\Services\\NTDS\\Parameters`, 'DSA Database file');
}

function text(hive: Hive, key: KeyPath, name: string): string {
  const value = hive.read(key, name);
  return value !== null && (value.type === 'string' || value.type === 'expand-string') ? value.value : '';
}
