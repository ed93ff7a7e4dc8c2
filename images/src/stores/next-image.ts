import { RekindleError } from '#base/errors.ts';
import type { StationName } from '../format/image-manifest.ts';
import { formatImageRef, formatUtc, type ImageName } from '../format/image-name.ts';
import type { PublicKey } from '../format/minisign.ts';
import { listImages, readManifest } from './image-folder.ts';

/** What the next image of a station continues. */
export interface ImageChain {
  readonly sequence: number;
  readonly previousManifestSha256: string | null;
}

/**
 * The newest image that can be read is the one before. Newer ones that are damaged, or signed by somebody else, keep
 * their numbers: a station must stay able to be captured, and the gap stays visible.
 */
export async function continueChain(
  store: string,
  station: StationName,
  publicKey: PublicKey,
): Promise<{ readonly chain: ImageChain; readonly unreadable: readonly ImageName[] }> {
  const unreadable: ImageName[] = [];
  for (const name of (await listImages(store, station)).reverse()) {
    try {
      const { manifest, manifestSha256 } = await readManifest(store, name, publicKey);
      const sequence = manifest.sequence + unreadable.length + 1;
      return { chain: { sequence, previousManifestSha256: manifestSha256 }, unreadable };
    } catch (error) {
      if (!(error instanceof RekindleError) || error.code !== 'verification-failed') throw error;
      unreadable.push(name);
    }
  }
  return { chain: { sequence: unreadable.length + 1, previousManifestSha256: null }, unreadable };
}

/**
 * The name of content that is from another time than now. A station's images are a chain that ascends in time, and
 * `latest` is its end: older content appended to it would be restored as the newest.
 * @throws RekindleError `usage`: there is one that is not older
 */
export async function nameImageOf(store: string, station: StationName, capturedAt: Date): Promise<ImageName> {
  const utc = formatUtc(capturedAt);
  const newest = (await listImages(store, station)).at(-1);
  if (newest === undefined || newest.utc < utc) return { station, utc };
  throw new RekindleError(
    'usage',
    `Making an image of ${station} as it was at ${utc}: ${formatImageRef(newest)} is not older`,
    {
      next: "If the file's time is wrong, say it with --captured-at. To keep older content too, import it into another store.",
    },
  );
}

/** Names are to the second and ascend: two captures within one second get different ones. */
export async function nameNextImage(store: string, station: StationName, at: Date): Promise<ImageName> {
  const last = (await listImages(store, station)).at(-1)?.utc ?? '';
  let time = at.getTime();
  while (formatUtc(new Date(time)) <= last) time += 1000;
  return { station, utc: formatUtc(new Date(time)) };
}
