import { RekindleError } from '#base/errors.ts';
import type { StationName } from '#images/format/image-manifest.ts';
import { type ImageName, type ImageRef, parseImageRef } from '#images/format/image-name.ts';
import { listImages, resolveImage } from '#images/stores/image-folder.ts';
import { parseStationName } from './station-facts.ts';

/** What a store keeps by station and time, and how it is found. */
export interface Choice {
  /** For messages: `image`. */
  readonly noun: string;
  /** The verb that lists it. */
  readonly listVerb: string;
  readonly store: string;
  list(station?: StationName): Promise<ImageName[]>;
  resolve(ref: ImageRef): Promise<ImageName>;
}

export const chooseImages = (store: string, wanted: readonly string[], all: boolean): Promise<ImageName[]> =>
  choose(
    {
      noun: 'image',
      listVerb: 'image list',
      store,
      list: (station) => listImages(store, station),
      resolve: (ref) => resolveImage(store, ref),
    },
    wanted,
    all,
  );

/**
 * `STATION@latest`, `STATION@<UTC>`, `STATION` for all of its images, or all images of the store.
 * @throws RekindleError `usage` (nothing is named), `not-found`
 */
export async function choose(choice: Choice, wanted: readonly string[], all: boolean): Promise<ImageName[]> {
  const { noun, store } = choice;
  if (all === wanted.length > 0) {
    throw new RekindleError('usage', `Which ${noun}s? Name some, or say --all, and not both`, {
      next: `Name ${noun}s as STATION@latest or STATION@20261120T020000Z, or a STATION for all of its ${noun}s.`,
    });
  }
  if (all) return choice.list();
  const chosen: ImageName[] = [];
  for (const text of wanted) {
    if (text.includes('@')) {
      chosen.push(await choice.resolve(parseImageRef(text, noun)));
      continue;
    }
    const own = await choice.list(parseStationName(text));
    if (own.length === 0)
      throw new RekindleError('not-found', `Looking for ${noun}s of ${text} in ${store}: there is none`, {
        next: `\`rekindle ${choice.listVerb}\` shows all ${noun}s.`,
      });
    chosen.push(...own);
  }
  return chosen.filter(
    (each, at) => chosen.findIndex(({ station, utc }) => station === each.station && utc === each.utc) === at,
  );
}
