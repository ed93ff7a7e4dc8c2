import { RekindleError } from '#base/errors.ts';
import { type Coverage, checkCoverage } from '#driver-packs/check-coverage.ts';
import { checkStoreModules, type StoreRow } from '#driver-packs/store-coverage.ts';
import { type ShareConfiguration, shareKind } from '../config/share-configuration.ts';
import { readServedKernel } from '../site/served-kernel.ts';
import { readServedShare } from '../site/served-share.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { Station } from './station.ts';
import { readPackManifest } from './station-pack.ts';

/** Whether a station could reach its disks, its network and the images with what the site serves now. */
export interface StationPackState {
  readonly state: 'green' | 'red';
  /** Why it is red, each a sentence. */
  readonly reasons: readonly string[];
  /** What should be known and stops nothing. */
  readonly notes: readonly string[];
  /** Absent when there is no pack. */
  readonly coverage?: Coverage;
  /** What mounts the share that the images lie on; empty: they come over HTTPS. */
  readonly store: readonly StoreRow[];
}

/**
 * The proof, made anew from the passport, the pack, the kernel and the share that are there at this moment: whatever
 * changes (a kernel, a passport, the configuration), nobody has to remember to ask again. Reads only.
 */
export async function judgeStationPack(
  paths: SitePaths,
  station: Station,
  share: ShareConfiguration | undefined,
): Promise<StationPackState> {
  try {
    const manifest = await readPackManifest(paths, station.name);
    const kernel = await readServedKernel(paths);
    const coverage = checkCoverage(station.passport, manifest, { kernel: kernel.version });
    const kind = shareKind(share);
    const store = kind === null ? [] : await checkStoreModules(kernel, kind);
    const reasons = [
      ...coverage.missing,
      ...store
        .filter(({ state }) => state === 'missing')
        .map(({ need }) => `kernel ${kernel.version} has no ${need}, which the share of the images needs`),
      ...(kind === null || (await readServedShare(paths)) === kind
        ? []
        : [`the runtime was not built to mount ${kind.toUpperCase()} shares`]),
    ];
    return { state: reasons.length === 0 ? 'green' : 'red', reasons, notes: coverage.notes, coverage, store };
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    const reason = error.code === 'not-found' ? 'it has no driver pack' : error.message;
    return { state: 'red', reasons: [reason], notes: [], store: [] };
  }
}
