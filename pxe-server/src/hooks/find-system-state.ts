import { stat } from 'node:fs/promises';
import path from 'node:path';
import { isAbsent } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import type { SystemState } from '#contract/hook-kinds/domain-controller.ts';
import type { StationName } from '#images/format/image-manifest.ts';
import { formatImageRef, type ImageName, parseUtc } from '#images/format/image-name.ts';
import { backupVersion, type SystemStateManifest } from '#images/format/system-state-manifest.ts';
import type { SignedStore } from '#images/stores/signed-store.ts';
import {
  listSystemStates,
  readSystemState,
  resolveSystemState,
  systemStatePath,
} from '#images/stores/system-state-files.ts';

export interface FoundSystemState {
  readonly name: ImageName;
  readonly manifest: SystemStateManifest;
  /** Files that the store lacks, or has in another size; their content is seen when it is copied. */
  readonly missing: readonly string[];
}

/** Only reads. @throws RekindleError `not-found`, `verification-failed`, `store-unreachable` */
export async function findSystemState(
  { source, key }: SignedStore,
  station: StationName,
  version: (SystemState & { from: 'backup-in-store' })['version'],
): Promise<FoundSystemState> {
  const name =
    version === 'latest'
      ? await resolveSystemState(source, { station, utc: version })
      : ofVersion(await listSystemStates(source, station), station, version);
  const manifest = await readSystemState(source, name, key);
  if (source.kind !== 'directory') return { name, manifest, missing: [] };
  const missing: string[] = [];
  for (const file of manifest.files) {
    const found = await sizeOf(path.join(source.path, ...systemStatePath(name, manifest, file)));
    if (found === undefined) missing.push(`${file.path} is not there`);
    else if (found !== file.bytes) missing.push(`${file.path} has ${found} bytes instead of ${file.bytes}`);
  }
  return { name, manifest, missing };
}

/** wbadmin's version has no seconds: of two in one minute the newer one. */
function ofVersion(names: readonly ImageName[], station: StationName, version: string): ImageName {
  const found = names.findLast(({ utc }) => backupVersion(parseUtc(utc)?.toISOString() ?? '') === version);
  if (found !== undefined) return found;
  const known = names.slice(-5).map(formatImageRef);
  throw new RekindleError(
    'not-found',
    `Looking for the system state of ${station} of ${version}: there is none`,
    {
      next:
        known.length === 0
          ? 'Add it: rekindle system-state add.'
          : `The store has ${known.join(', ')}. Versions are in UTC.`,
    },
  );
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    throw new RekindleError('store-unreachable', `Looking for ${file}`, {
      cause,
      next: 'Check the disk or share that holds the store.',
    });
  }
}
