import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { formatImageRef, formatUtc, type ImageName, type ImageRef } from '../format/image-name.ts';
import { type PublicKey, verifySignature } from '../format/minisign.ts';
import type { StoreRef } from './chunk-store.ts';
import { manifestFile, readNamedFile, type StoredKind, signatureFile } from './named-folder.ts';

/** The one way to believe what a store keeps: signature, schema, and that the manifest is that of its own folder. */

/** A manifest is some hundred KiB for a disk with 128 partitions; 16 MiB is no manifest. */
const manifestLimit = 16 << 20;

export interface SignedKind<Manifest> extends StoredKind {
  readonly schema: z.ZodType<Manifest>;
  /** The moment that the manifest speaks of, ISO 8601. */
  takenAt(manifest: Manifest): string;
  /** What to do when a manifest cannot be read. */
  readonly anotherOne: string;
}

export interface SignedBytes<Manifest> {
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  readonly signature: string;
}

/** @throws RekindleError `verification-failed` (also for the manifest of another folder), `not-found` */
export async function readSignedManifest<Manifest extends { readonly station: string }>(
  ref: StoreRef,
  kind: SignedKind<Manifest>,
  name: ImageName,
  publicKey: PublicKey,
): Promise<SignedBytes<Manifest>> {
  const manifestBytes = await readNamedFile(ref, kind, name, manifestFile, manifestLimit);
  const signature = Buffer.from(await readNamedFile(ref, kind, name, signatureFile, 4096)).toString('utf8');
  const what = formatImageRef(name);
  verifySignature(manifestBytes, signature, publicKey, `the manifest of ${what}`);
  const manifest = parseSignedManifest(manifestBytes, kind, what);
  assertOwnManifest(manifest.station as ImageName['station'], kind.takenAt(manifest), kind, what);
  return { manifest, manifestBytes, signature };
}

/**
 * A signed manifest is a true one, but it may be that of another station or of an older time: whoever can write to
 * the store can give a folder another name.
 * @param expected STATION@<UTC>
 * @throws RekindleError `verification-failed`
 */
export function assertOwnManifest(
  station: ImageName['station'],
  takenAt: string,
  { noun }: Pick<StoredKind, 'noun'>,
  expected: string,
): void {
  const found = formatImageRef({ station, utc: formatUtc(new Date(takenAt)) });
  if (found === expected) return;
  throw new RekindleError('verification-failed', `Checking the ${noun} ${expected}`, {
    cause: new Error(`its manifest is signed, but it is the manifest of ${found}`),
    next: `Choose another ${noun} of this station, and find out who moved this one.`,
  });
}

/** Schema only: for manifests whose signature was checked. @throws RekindleError `verification-failed` */
export function parseSignedManifest<Manifest>(
  bytes: Uint8Array,
  { schema, anotherOne }: Pick<SignedKind<Manifest>, 'schema' | 'anotherOne'>,
  what: string,
): Manifest {
  const refuse = (cause: Error): never => {
    throw new RekindleError(
      'verification-failed',
      `Reading the manifest of ${what}: it is not a manifest of format version 1`,
      { cause, next: anotherOne },
    );
  };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    return refuse(cause instanceof Error ? cause : new Error(String(cause)));
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : refuse(new Error(z.prettifyError(parsed.error)));
}

/** `STATION@latest` or `STATION@<UTC>` among those that are there. @throws RekindleError `not-found` */
export function chooseNamed(
  names: readonly ImageName[],
  ref: ImageRef,
  { noun }: Pick<StoredKind, 'noun'>,
  store: string,
  makeOne: string,
): ImageName {
  const found = ref.utc === 'latest' ? names.at(-1) : names.find(({ utc }) => utc === ref.utc);
  if (found !== undefined) return found;
  const known = names.map(formatImageRef);
  throw new RekindleError(
    'not-found',
    `Looking for ${noun} ${formatImageRef(ref)} in ${store}: there is none`,
    {
      next:
        known.length === 0
          ? `The store has no ${noun} of ${ref.station}. ${makeOne}`
          : `The store has ${known.slice(-5).join(', ')}.`,
    },
  );
}
