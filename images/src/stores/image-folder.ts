import { hash } from 'node:crypto';
import { RekindleError } from '#base/errors.ts';
import { type ImageManifest, imageManifestSchema } from '../format/image-manifest.ts';
import { formatImageRef, type ImageName, type ImageRef } from '../format/image-name.ts';
import { type PublicKey, verifySignature } from '../format/minisign.ts';
import { imageFolder, imageKind, imagesFolder, listImages, readImageFile } from './image-files.ts';
import { manifestFile, signatureFile } from './named-folder.ts';
import { parseStore } from './open-store.ts';
import {
  assertOwnManifest,
  chooseNamed,
  parseSignedManifest,
  readSignedManifest,
  type SignedBytes,
  type SignedKind,
} from './signed-manifest.ts';

/** Images of a store, and the one way to believe them. A store is a path or a URL. */

export { imageFolder, imagesFolder, listImages, manifestFile, signatureFile };

const signedImage: SignedKind<ImageManifest> = {
  ...imageKind,
  schema: imageManifestSchema,
  takenAt: ({ capturedAt }) => capturedAt,
  anotherOne: 'Take another image of the station, or a newer Rekindle if this image was made by one.',
};

/** @throws RekindleError `not-found` */
export async function resolveImage(store: string, ref: ImageRef): Promise<ImageName> {
  // A web server need not show listings: an image that is named with its time is found, or not, by its manifest.
  if (ref.utc !== 'latest' && parseStore(store).kind === 'http') return { ...ref };
  const makeOne = `Take one: rekindle enrol open --for 15m --station ${ref.station}, then F12 there.`;
  return chooseNamed(await listImages(store, ref.station), ref, imageKind, store, makeOne);
}

export interface SignedManifest extends SignedBytes<ImageManifest> {
  readonly manifestSha256: string;
}

/** @throws RekindleError `verification-failed` (also for the manifest of another image), `not-found` */
export async function readManifest(
  store: string,
  name: ImageName,
  publicKey: PublicKey,
): Promise<SignedManifest> {
  const read = await readSignedManifest(parseStore(store), signedImage, name, publicKey);
  return { ...read, manifestSha256: hash('sha256', read.manifestBytes) };
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

/** @param image STATION@<UTC>. @throws RekindleError `verification-failed` */
export const assertManifestOf = ({ station, capturedAt }: ImageManifest, image: string): void =>
  assertOwnManifest(station, capturedAt, imageKind, image);

/** Schema only; `checkManifest` is for manifests that anything is done with. */
export const parseManifest = (bytes: Uint8Array, what: string): ImageManifest =>
  parseSignedManifest(bytes, signedImage, what);

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
