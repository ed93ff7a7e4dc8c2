import { RekindleError } from '#base/errors.ts';
import { type ImageName, parseImageRef } from '#images/format/image-name.ts';
import { listImages, resolveImage } from '#images/stores/image-folder.ts';
import { parseStationName } from './station-facts.ts';

/**
 * `STATION@latest`, `STATION@<UTC>`, `STATION` for all of its images, or all images of the store.
 * @throws RekindleError `usage` (nothing is named), `not-found`
 */
export async function chooseImages(
  store: string,
  wanted: readonly string[],
  all: boolean,
): Promise<ImageName[]> {
  if (all === wanted.length > 0) {
    throw new RekindleError('usage', 'Which images? Name some, or say --all, and not both', {
      next: 'Name images as STATION@latest or STATION@20261120T020000Z, or a STATION for all of its images.',
    });
  }
  if (all) return listImages(store);
  const chosen: ImageName[] = [];
  for (const text of wanted) {
    if (text.includes('@')) {
      chosen.push(await resolveImage(store, parseImageRef(text)));
      continue;
    }
    const own = await listImages(store, parseStationName(text));
    if (own.length === 0)
      throw new RekindleError('not-found', `Looking for images of ${text} in ${store}: there is none`, {
        next: '`rekindle image list` shows all images.',
      });
    chosen.push(...own);
  }
  return chosen.filter(
    (each, at) => chosen.findIndex(({ station, utc }) => station === each.station && utc === each.utc) === at,
  );
}
