import { RekindleError } from '#base/errors.ts';
import type { Hook, HookKind, HookOf } from '#contract/hook.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import { parseImageRef } from '#images/format/image-name.ts';
import { readManifest, resolveImage } from '#images/stores/image-folder.ts';
import type { SignedStore } from '#images/stores/signed-store.ts';
import { storeFolder } from '#pxe-server/config/configuration.ts';
import { hookPlanFile, readHookPlan } from '#pxe-server/hooks/read-hook-plan.ts';
import { readSigningKey } from '#pxe-server/site/site-keys.ts';
import type { SitePaths } from '#pxe-server/site/site-paths.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { openSite, type SiteOption } from '../site-option.ts';

/** The hook of one kind in a station's plan, and the image that it would follow. */
export interface StationHook<Kind extends HookKind> {
  readonly hook: HookOf<Kind>;
  /** STATION@<UTC time> */
  readonly ref: string;
  readonly manifest: ImageManifest;
  readonly store: SignedStore;
  readonly paths: SitePaths;
}

/** @throws RekindleError `not-found`: no such station, image or hook; `usage`: errors in the plan */
export async function openStationHook<Kind extends HookKind>(
  name: string,
  kind: Kind,
  options: SiteOption & { readonly image: string },
): Promise<StationHook<Kind>> {
  const { state, paths, configuration } = await openSite(options);
  try {
    const station = getStation(state, name);
    const plan = await readHookPlan(paths, station);
    const hook = plan.hooks.find((each: Hook): each is HookOf<Kind> => each.kind === kind);
    if (hook === undefined) {
      throw new RekindleError('not-found', `The plan of ${station.name} has no hook of kind ${kind}`, {
        next: `Add one to ${hookPlanFile(paths, station.name)}; docs/domain.md shows how.`,
      });
    }
    const store = storeFolder(configuration, paths.folder);
    const image = await resolveImage(store, parseImageRef(`${station.name}@${options.image}`));
    const key = await readSigningKey(paths);
    const { manifest } = await readManifest(store, image, key);
    return {
      ...{ hook, manifest, paths, ref: `${image.station}@${image.utc}` },
      store: { source: { kind: 'directory', path: store }, key },
    };
  } finally {
    state.close();
  }
}
