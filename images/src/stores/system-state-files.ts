import type { StationName } from '../format/image-manifest.ts';
import { formatImageName, type ImageName, type ImageRef } from '../format/image-name.ts';
import type { PublicKey } from '../format/minisign.ts';
import {
  type SystemStateFile,
  type SystemStateManifest,
  systemStateManifestSchema,
} from '../format/system-state-manifest.ts';
import type { StoreRef } from './chunk-store.ts';
import { listNamedFolders, namedFolder } from './named-folder.ts';
import {
  chooseNamed,
  parseSignedManifest,
  readSignedManifest,
  type SignedBytes,
  type SignedKind,
} from './signed-manifest.ts';

/** System states of a store, and the one way to believe them. */

export const systemStatesFolder = 'system-states';
/** The folder that wbadmin makes at the root of its target. */
export const backupFolder = 'WindowsImageBackup';

export const systemStateKind: SignedKind<SystemStateManifest> = {
  top: systemStatesFolder,
  noun: 'system state',
  schema: systemStateManifestSchema,
  takenAt: ({ takenAt }) => takenAt,
  anotherOne: 'Add the backup again (rekindle system-state add), or take a newer Rekindle if one made this.',
};

export const systemStateFolder = (store: string, name: ImageName): string =>
  namedFolder(store, systemStateKind, name);

/** Where a file is, from the store's root, part by part. */
export const systemStatePath = (
  name: ImageName,
  { computerName }: Pick<SystemStateManifest, 'computerName'>,
  { path }: Pick<SystemStateFile, 'path'>,
): string[] => [
  systemStatesFolder,
  name.station,
  formatImageName(name),
  backupFolder,
  computerName,
  ...path.split('/'),
];

/** Of one station or of all, oldest first. @throws as `listNamedFolders` */
export async function listSystemStates(ref: StoreRef, station?: StationName): Promise<ImageName[]> {
  const folders = await listNamedFolders(ref, systemStateKind, station);
  return folders.filter(({ hasManifest }) => hasManifest).map(({ name }) => name);
}

/** @throws RekindleError `not-found` */
export async function resolveSystemState(store: StoreRef, ref: ImageRef): Promise<ImageName> {
  if (ref.utc !== 'latest' && store.kind === 'http') return { ...ref };
  const where = store.kind === 'http' ? store.url : store.path;
  const makeOne = 'Add one: rekindle system-state add STATION FOLDER.';
  return chooseNamed(await listSystemStates(store, ref.station), ref, systemStateKind, where, makeOne);
}

/** @throws RekindleError `verification-failed` (also for the manifest of another one), `not-found` */
export async function readSystemState(
  ref: StoreRef,
  name: ImageName,
  key: PublicKey,
): Promise<SystemStateManifest> {
  return (await readSignedSystemState(ref, name, key)).manifest;
}

export const readSignedSystemState = (
  ref: StoreRef,
  name: ImageName,
  key: PublicKey,
): Promise<SignedBytes<SystemStateManifest>> => readSignedManifest(ref, systemStateKind, name, key);

/** Schema only. @throws RekindleError `verification-failed` */
export const parseSystemStateManifest = (bytes: Uint8Array, what: string): SystemStateManifest =>
  parseSignedManifest(bytes, systemStateKind, what);
