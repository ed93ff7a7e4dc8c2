import { hash } from 'node:crypto';
import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import type { RestoreJob } from '#contract/api.ts';
import { type DiskIndex, parseDiskIndex } from '#images/format/disk-index.ts';
import type { ImageManifest, StationName } from '#images/format/image-manifest.ts';
import { parseImageRef } from '#images/format/image-name.ts';
import { type PublicKey, parsePublicKey } from '#images/format/minisign.ts';
import { type HardwarePassport, hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { assertManifestOf, checkManifest } from '#images/stores/image-folder.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import { openRestoreJob } from '../server-client/calls.ts';
import { readImageFile, storeOverHttps } from '../server-client/image-files.ts';
import type { ServerClient } from '../server-client/server-client.ts';
import type { SiteKeys } from '../workflow-machine.ts';

export const openJob = readingStep<
  {
    readonly server: ServerClient;
    readonly token: string;
    readonly station: StationName;
    readonly image: string;
    readonly passport: HardwarePassport;
  },
  RestoreJob
>({
  id: 'open-job',
  title: titles['open-job'],
  async run({ server, token, station, image, passport }) {
    const job = await openRestoreJob(server, token, { station, image, passport });
    assertAskedFor(job, station, image);
    return { value: job, sentence: texts.jobOpened(job.jobId) };
  },
});

/** An image whose manifest carries the site's signature, and the files of it that a restore needs. */
export interface SignedImage {
  /** STATION@<UTC time> */
  readonly ref: string;
  readonly manifest: ImageManifest;
  readonly manifestSha256: string;
  readonly passport: HardwarePassport;
  /** One for each of the manifest's disks, in their order. */
  readonly indexes: readonly DiskIndex[];
  readonly diskIndexSha256: readonly string[];
  readonly source: StoreRef;
  /** Whose signature it has. */
  readonly key: PublicKey;
}

export const checkImage = readingStep<
  { readonly server: ServerClient; readonly job: RestoreJob; readonly site: SiteKeys },
  SignedImage
>({
  id: 'check-image',
  title: titles['check-image'],
  async run({ server, job, site }) {
    const image = await believeImage({
      ref: job.image,
      manifestBytes: Buffer.from(job.manifest, 'base64'),
      signature: job.manifestSignature,
      key: parsePublicKey(site.imageSigner),
      readListed: (manifest, name) => readImageFile(server, job, manifest, name),
      source: storeOverHttps(server, job),
    });
    const { station, capturedAt } = image.manifest;
    return { value: image, sentence: texts.imageSigned(station, capturedAt) };
  },
});

export interface ImageToBelieve {
  /** STATION@<UTC time> */
  readonly ref: string;
  readonly manifestBytes: Uint8Array;
  readonly signature: string;
  readonly key: PublicKey;
  /** A file of the image, size and hash as the manifest says. */
  readonly readListed: (manifest: ImageManifest, name: string) => Promise<Uint8Array> | Uint8Array;
  readonly source: StoreRef;
}

/**
 * Signature, name, role and files of an image, from wherever it is read.
 * @throws RekindleError `verification-failed`
 */
export async function believeImage(image: ImageToBelieve): Promise<SignedImage> {
  const { ref, manifestBytes, signature, key, source } = image;
  const manifest = checkManifest(manifestBytes, signature, key, ref);
  assertManifestOf(manifest, ref);
  const read = async (name: string) => image.readListed(manifest, name);
  const indexFiles = await Promise.all(manifest.disks.map(({ diskIndex }) => read(diskIndex)));
  return {
    ref,
    manifest,
    manifestSha256: hash('sha256', manifestBytes),
    passport: parsePassport(await read('passport.json'), ref),
    indexes: manifest.disks.map(({ diskIndex }, at) =>
      parseDiskIndex(indexFiles[at] ?? new Uint8Array(), diskIndex),
    ),
    diskIndexSha256: indexFiles.map((bytes) => hash('sha256', bytes)),
    source,
    key,
  };
}

/** The service may only make `latest` a time; any other image than the one that was chosen is refused. */
function assertAskedFor(job: RestoreJob, station: StationName, image: string): void {
  const asked = parseImageRef(image);
  const got = parseImageRef(job.image);
  const same = job.station === station && got.station === station && asked.station === station;
  if (same && (asked.utc === 'latest' || asked.utc === got.utc)) return;
  throw new RekindleError('verification-failed', `opening a restore of ${image}`, {
    cause: new Error(`the service answered with ${job.image} for station ${job.station}`),
    next: 'Find out who answers at the address of the recovery service.',
  });
}

function parsePassport(bytes: Uint8Array, image: string): HardwarePassport {
  try {
    return hardwarePassportSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (cause) {
    throw new RekindleError('verification-failed', `reading the hardware passport of ${image}`, {
      cause: cause instanceof z.ZodError ? new Error(z.prettifyError(cause)) : cause,
      next: 'Choose another image of this station.',
    });
  }
}
