import type { BootStore } from '../boot/boot-store.ts';
import { hiveOnVolume } from '../registry/hive-locations.ts';
import { openHive } from '../registry/open-hive.ts';
import { findPath } from '../volume/find-path.ts';
import { type HiveEvidence, type InstallationEvidence, type SystemHive, systemHives } from './evidence.ts';
import { examineHive } from './examine-hive.ts';
import {
  currentControlSet,
  readDirectoryDatabase,
  readMountedDevice,
  readWindowsFacts,
} from './windows-facts.ts';

const usualRoot = '\\Windows';

/** The Windows on a mounted volume; null when there is none. Nothing is written. */
export async function examineInstallation(
  root: string,
  stores: readonly BootStore[],
): Promise<InstallationEvidence | null> {
  const loaders = stores.flatMap((store) => store.loaders);
  const roots = [usualRoot, ...loaders.map(({ systemRoot }) => systemRoot)].filter(Boolean);
  const systemRoot = roots.find(
    (each) => findPath(root, `${each}\\System32\\config\\SYSTEM`).kind === 'found',
  );
  if (systemRoot === undefined) return null;

  const hives: Partial<Record<SystemHive, HiveEvidence>> = {};
  const bytes: Partial<Record<SystemHive, Buffer>> = {};
  for (const name of systemHives) {
    const found = findPath(root, `${systemRoot}\\System32\\config\\${name}`);
    if (found.kind !== 'found') {
      hives[name] = found.kind === 'absent' ? { kind: 'absent' } : { kind: 'refused', why: found.why };
      continue;
    }
    const examined = await examineHive(hiveOnVolume(found.path));
    hives[name] = examined.hive;
    if (examined.bytes !== null) bytes[name] = examined.bytes;
  }
  const present = loaders.map(
    ({ path }) => [path.toLowerCase(), findPath(root, path).kind === 'found'] as const,
  );
  return {
    systemRoot,
    hives: hives as Record<SystemHive, HiveEvidence>,
    loaders: Object.fromEntries(present),
    ...readRegistry(root, bytes),
  };
}

function readRegistry(
  root: string,
  { SYSTEM, SOFTWARE }: Partial<Record<SystemHive, Buffer>>,
): Pick<InstallationEvidence, 'facts' | 'driveC' | 'directory'> {
  const none = { facts: null, driveC: null, directory: null };
  if (SYSTEM === undefined || SOFTWARE === undefined) return none;
  using system = openHive(SYSTEM, 'SYSTEM');
  using software = openHive(SOFTWARE, 'SOFTWARE');
  const controlSet = currentControlSet(system);
  if (controlSet === null) return none;
  const facts = readWindowsFacts(system, software);
  const file = readDirectoryDatabase(system, controlSet);
  // It is on the system volume unless somebody moved it to another drive, which has a letter that we do not know.
  const onThisVolume = /^[a-z]:/i.test(file) && file.slice(0, 2).toUpperCase() === 'C:';
  const present = onThisVolume && findPath(root, file.slice(2)).kind === 'found';
  return {
    facts,
    driveC: readMountedDevice(system, 'C:'),
    directory: file === '' || !onThisVolume ? null : { path: file, present },
  };
}
