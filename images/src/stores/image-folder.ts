import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { type ImageManifest, imageManifestSchema, type StationName } from '../format/image-manifest.ts';
import {
  formatImageName,
  formatImageRef,
  type ImageName,
  type ImageRef,
  parseImageName,
} from '../format/image-name.ts';
import { type PublicKey, verifySignature } from '../format/minisign.ts';

/** Images of a directory store: `<store>/images/<STATION>/<STATION>_<UTC>/`. */

export const imagesFolder = 'images';
export const manifestFile = 'manifest.json';
export const signatureFile = 'manifest.json.minisig';

/** A manifest is some hundred KiB for a disk with 128 partitions; 16 MiB is no manifest. */
const manifestLimit = 16 << 20;

export function imageFolder(store: string, name: ImageName): string {
  return path.join(store, imagesFolder, name.station, formatImageName(name));
}

/** Published images, of one station or of all, oldest first. Folders with other names are nobody's images. */
export function listImages(store: string, station?: StationName): ImageName[] {
  const root = path.join(store, imagesFolder);
  const stations = station === undefined ? readFolder(root) : [station];
  return stations
    .flatMap((owner) =>
      readFolder(path.join(root, owner)).flatMap((folder) => {
        const name = parseImageName(folder);
        return name !== null &&
          name.station === owner &&
          fs.existsSync(path.join(root, owner, folder, manifestFile))
          ? [name]
          : [];
      }),
    )
    .sort((a, b) => (a.station === b.station ? compare(a.utc, b.utc) : compare(a.station, b.station)));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** @throws RekindleError `not-found` */
export function resolveImage(store: string, ref: ImageRef): ImageName {
  const images = listImages(store, ref.station);
  const found = ref.utc === 'latest' ? images.at(-1) : images.find((image) => image.utc === ref.utc);
  if (found !== undefined) return found;
  const known = images.map(formatImageRef);
  throw new RekindleError(
    'not-found',
    `Looking for image ${formatImageRef(ref)} in ${store}: there is none`,
    {
      next:
        known.length === 0
          ? `The store has no image of ${ref.station}.`
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

/** @throws RekindleError `verification-failed`, `not-found` */
export function readManifest(store: string, name: ImageName, publicKey: PublicKey): SignedManifest {
  const folder = imageFolder(store, name);
  const manifestBytes = readImageFile(folder, manifestFile, manifestLimit);
  const signature = Buffer.from(readImageFile(folder, signatureFile, 4096)).toString('utf8');
  return {
    manifest: checkManifest(manifestBytes, signature, publicKey, formatImageRef(name)),
    manifestBytes,
    manifestSha256: sha256(manifestBytes),
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
export function readListedFile(
  store: string,
  name: ImageName,
  manifest: ImageManifest,
  file: string,
): Uint8Array {
  const listed = manifest.files.find((each) => each.name === file);
  if (listed === undefined) throw badFile(file, name, 'the manifest does not list it');
  return assertListedFile(
    readImageFile(imageFolder(store, name), file, listed.bytes),
    listed,
    formatImageRef(name),
  );
}

/** The bytes, when they are those that the manifest lists. @throws RekindleError `verification-failed` */
export function assertListedFile(
  bytes: Uint8Array,
  listed: ImageManifest['files'][number],
  what: string,
): Uint8Array {
  if (bytes.length !== listed.bytes)
    throw badFile(listed.name, what, `it has ${bytes.length} bytes, the manifest says ${listed.bytes}`);
  const found = sha256(bytes);
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

function readImageFile(folder: string, file: string, limit: number): Uint8Array {
  const full = path.join(folder, file);
  try {
    const { size } = fs.statSync(full);
    if (size > limit) throw new Error(`it has ${size} bytes, at most ${limit} are expected`);
    return fs.readFileSync(full);
  } catch (cause) {
    throw new RekindleError('verification-failed', `Reading ${full}`, {
      cause,
      next: 'Take another copy of the image.',
    });
  }
}

function readFolder(folder: string): string[] {
  try {
    return fs.readdirSync(folder).sort();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw new RekindleError('store-unreachable', `Listing ${folder}`, {
      cause,
      next: 'Check the disk or share that holds the store.',
    });
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
