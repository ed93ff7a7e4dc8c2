import { hash } from 'node:crypto';
import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { type ImageManifest, imageManifestSchema } from '../format/image-manifest.ts';
import { formatImageRef, formatUtc, type ImageName, type ImageRef } from '../format/image-name.ts';
import { type PublicKey, verifySignature } from '../format/minisign.ts';
import { imageFolder, imagesFolder, listImages, manifestFile, readImageFile } from './image-files.ts';
import { parseStore } from './open-store.ts';

/** Images of a store, and the one way to believe them. A store is a path or a URL. */

export { imageFolder, imagesFolder, listImages, manifestFile };
export const signatureFile = 'manifest.json.minisig';

/** A manifest is some hundred KiB for a disk with 128 partitions; 16 MiB is no manifest. */
const manifestLimit = 16 << 20;

/** @throws RekindleError `not-found` */
export async function resolveImage(store: string, ref: ImageRef): Promise<ImageName> {
  // A web server need not show listings: an image that is named with its time is found, or not, by its manifest.
  if (ref.utc !== 'latest' && parseStore(store).kind === 'http') return { ...ref };
  const images = await listImages(store, ref.station);
  const found = ref.utc === 'latest' ? images.at(-1) : images.find((image) => image.utc === ref.utc);
  if (found !== undefined) return found;
  const known = images.map(formatImageRef);
  throw new RekindleError(
    'not-found',
    `Looking for image ${formatImageRef(ref)} in ${store}: there is none`,
    {
      next:
        known.length === 0
          ? `The store has no image of ${ref.station}. Take one: rekindle enrol open --for 15m --station ${ref.station}, then F12 there.`
          : `The store has ${known.slice(-5).join(', ')}.`,
    },
  );
}

export interface SignedManifest {
  readonly manifest: ImageManifest;
  readonly manifestBytes: Uint8Array;
  readonly manifestSha256: string;
  readonly signature: string;
}

/** @throws RekindleError `verification-failed` (also for the manifest of another image), `not-found` */
export async function readManifest(
  store: string,
  name: ImageName,
  publicKey: PublicKey,
): Promise<SignedManifest> {
  const manifestBytes = await readImageFile(store, name, manifestFile, manifestLimit);
  const signature = Buffer.from(await readImageFile(store, name, signatureFile, 4096)).toString('utf8');
  const manifest = checkManifest(manifestBytes, signature, publicKey, formatImageRef(name));
  assertManifestOf(manifest, formatImageRef(name));
  return {
    manifest,
    manifestBytes,
    manifestSha256: hash('sha256', manifestBytes),
    signature,
  };
}

/**
 * The one way from bytes to a manifest that is believed: signature first, then the schema.
 * @param what the image is called, for messages
 * @throws RekindleError `verification-failed`
 */
export function checkManifest(
  bytes: Uint8Array,
  signature: string,
  publicKey: PublicKey,
  what: string,
): ImageManifest {
  verifySignature(bytes, signature, publicKey, `the manifest of ${what}`);
  return parseManifest(bytes, what);
}

/**
 * A signed manifest is a true one, but it may be that of another station or of an older image: whoever can write to
 * the store can give a folder another name.
 * @param image STATION@<UTC>
 * @throws RekindleError `verification-failed`
 */
export function assertManifestOf({ station, capturedAt }: ImageManifest, image: string): void {
  const found = formatImageRef({ station, utc: formatUtc(new Date(capturedAt)) });
  if (found === image) return;
  throw new RekindleError('verification-failed', `Checking the image ${image}`, {
    cause: new Error(`its manifest is signed, but it is the manifest of ${found}`),
    next: 'Choose another image of this station, and find out who moved this one.',
  });
}

/** Schema only; `checkManifest` is for manifests that anything is done with. */
export function parseManifest(bytes: Uint8Array, what: string): ImageManifest {
  const refuse = (cause: Error): never => {
    throw new RekindleError(
      'verification-failed',
      `Reading the manifest of ${what}: it is not a manifest of format version 1`,
      {
        cause,
        next: 'Take another image of the station, or a newer Rekindle if this image was made by one.',
      },
    );
  };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    return refuse(cause instanceof Error ? cause : new Error(String(cause)));
  }
  const parsed = imageManifestSchema.safeParse(value);
  return parsed.success ? parsed.data : refuse(new Error(z.prettifyError(parsed.error)));
}

/** A file that the manifest lists, with size and hash as listed. @throws RekindleError `verification-failed` */
export async function readListedFile(
  store: string,
  name: ImageName,
  manifest: ImageManifest,
  file: string,
): Promise<Uint8Array> {
  const listed = manifest.files.find((each) => each.name === file);
  if (listed === undefined) throw badFile(file, name, 'the manifest does not list it');
  return assertListedFile(await readImageFile(store, name, file, listed.bytes), listed, formatImageRef(name));
}

/** The bytes, when they are those that the manifest lists. @throws RekindleError `verification-failed` */
export function assertListedFile(
  bytes: Uint8Array,
  listed: ImageManifest['files'][number],
  what: string,
): Uint8Array {
  if (bytes.length !== listed.bytes)
    throw badFile(listed.name, what, `it has ${bytes.length} bytes, the manifest says ${listed.bytes}`);
  const found = hash('sha256', bytes);
  if (found !== listed.sha256)
    throw badFile(listed.name, what, `it hashes to ${found}, the manifest says ${listed.sha256}`);
  return bytes;
}

function badFile(file: string, image: ImageName | string, why: string): RekindleError {
  const what = typeof image === 'string' ? image : formatImageRef(image);
  return new RekindleError('verification-failed', `Reading ${file} of image ${what}: ${why}`, {
    next: 'Take another copy of the image, or another image of the station.',
  });
}
