import type { StationName } from '../format/image-manifest.ts';
import { formatUtc, type ImageName } from '../format/image-name.ts';
import type { PublicKey } from '../format/minisign.ts';
import { listImages, readManifest } from './image-folder.ts';

/** What the next image of a station continues. */
export interface ImageChain {
  readonly sequence: number;
  readonly previousManifestSha256: string | null;
}

/** @throws RekindleError `verification-failed`: the newest image is damaged, or signed by somebody else */
export function continueChain(store: string, station: StationName, publicKey: PublicKey): ImageChain {
  const last = listImages(store, station).at(-1);
  if (last === undefined) return { sequence: 1, previousManifestSha256: null };
  const { manifest, manifestSha256 } = readManifest(store, last, publicKey);
  return { sequence: manifest.sequence + 1, previousManifestSha256: manifestSha256 };
}

/** Names are to the second and ascend: two captures within one second get different ones. */
export function nameNextImage(store: string, station: StationName, at: Date): ImageName {
  const last = listImages(store, station).at(-1)?.utc ?? '';
  let time = at.getTime();
  while (formatUtc(new Date(time)) <= last) time += 1000;
  return { station, utc: formatUtc(new Date(time)) };
}
