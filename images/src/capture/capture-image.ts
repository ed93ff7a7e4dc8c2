import { hash } from 'node:crypto';
import fs from 'node:fs';
import { RekindleError } from '#base/errors.ts';
import type { ImagedWindows, ImageManifest } from '../format/image-manifest.ts';
import { formatImageRef, type ImageName, parseUtc } from '../format/image-name.ts';
import { type SecretKey, signBytes } from '../format/minisign.ts';
import { warnOfRole } from '../format/role-contradiction.ts';
import type { HardwarePassport, PassportDisk } from '../passport/hardware-passport.ts';
import { announceCapture } from '../stores/announcement.ts';
import type { WritableStoreRef } from '../stores/chunk-store.ts';
import { imageFolder, readListedFile, readManifest } from '../stores/image-folder.ts';
import { continueChain, nameImageOf, nameNextImage } from '../stores/next-image.ts';
import { publishImage } from '../stores/publish-image.ts';
import { type CapturedDisk, captureDisk, findHibernation } from './capture-disk.ts';
import { type ImageChange, summariseChange } from './image-change.ts';
import { planManifest } from './plan-manifest.ts';
import type { CaptureLimits } from './throttle.ts';
import { type StoredChunks, verifyStoredChunks } from './verify-stored-chunks.ts';
import { type WaitForTurnOptions, waitForTurn } from './wait-for-turn.ts';

/**
 * From disks to an image in a directory store that is published, signed and verified. Until the last step
 * there is no image; what is stored by then is reused by the next capture.
 */
export interface ImageSource {
  /** Block device, or the file that stands for a disk. */
  readonly path: string;
  /** Which disk of the station it is. */
  readonly passportDisk: PassportDisk;
}

/** What is read in place of the sources, closed when the capture ended. */
export interface OpenSources extends AsyncDisposable {
  /** One for each disk, in their order. */
  readonly paths: readonly string[];
  /** When the content was as it is, and how whole it is; as the options say, where it is absent. */
  readonly capturedAt?: Date;
  readonly consistency?: ImageManifest['consistency'];
  /**
   * Asked when everything was read, before anything is published, and when reading failed: an error here leaves no
   * image.
   */
  assertWhole(cause?: unknown): Promise<void>;
}

export interface CaptureImageProgress {
  /** `verify` reads the new chunks of all disks again. */
  readonly phase: 'capture' | 'verify';
  /** Of `disks`, from 0; the last one while verifying. */
  readonly disk: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** A file does not say its sector size; the passport does. */
export interface DiskToRead {
  readonly path: string;
  readonly sectorBytes: number;
}

export interface CaptureImageOptions
  extends Pick<ImageManifest, 'station' | 'computerName' | 'stationRole' | 'consistency' | 'tools'> {
  /** Folder of the store. */
  readonly store: string;
  readonly signingKey: SecretKey;
  readonly disks: readonly ImageSource[];
  readonly passport: HardwarePassport;
  /** What the Windows on the disks says about itself; called with what is read in place of them, in their order. */
  readonly readWindows?: (disks: readonly DiskToRead[]) => Promise<ImagedWindows | undefined>;
  readonly bootEntries?: ImageManifest['firmware']['bootEntries'];
  readonly bootOrder?: ImageManifest['firmware']['bootOrder'];
  readonly dataVolumes?: readonly string[];
  /** When the content was as it is, if that is not now: then no newer image may be there. */
  readonly capturedAt?: Date;
  /** Called once it is this capture's turn: what stands still only for a while, or costs others something. */
  readonly openSources?: () => Promise<OpenSources>;
  readonly workers?: number;
  readonly limits?: CaptureLimits;
  /** Whose turn it has to be in this store; absent: nobody else is asked. */
  readonly turn?: Pick<WaitForTurnOptions, 'who' | 'policy' | 'once' | 'onWait'>;
  readonly onProgress?: (progress: CaptureImageProgress) => void;
  readonly signal?: AbortSignal;
}

export interface CapturedImage {
  readonly name: ImageName;
  readonly manifest: ImageManifest;
  readonly manifestSha256: string;
  /** In the order of the disks. */
  readonly disks: readonly CapturedDisk[];
  readonly change: ImageChange;
  readonly verified: StoredChunks;
  /** What is odd about the disks, a sentence each. */
  readonly warnings: readonly string[];
}

/** @throws RekindleError `target-unfit` (a disk), `usage` (`capturedAt`), `store-unreachable`, `verification-failed`, `interrupted` */
export async function captureImage(options: CaptureImageOptions): Promise<CapturedImage> {
  // What cannot be tidied up after the publication is no reason to call the image failed.
  const left: string[] = [];
  const image = await captureInTurn(options, (sentence) => left.push(sentence));
  return { ...image, warnings: [...image.warnings, ...left] };
}

async function captureInTurn(
  options: CaptureImageOptions,
  onLeft: (sentence: string) => void,
): Promise<CapturedImage> {
  const { store, station, signal } = options;
  assertStoreFolder(store);
  if (options.turn === undefined) return await captureAndPublish(options, onLeft, async () => {});
  const asked = signal === undefined ? {} : { signal };
  await using turn = await waitForTurn({ ...options.turn, ...asked, store, station, onLeft });
  const either = AbortSignal.any([turn.lost, ...(signal === undefined ? [] : [signal])]);
  try {
    return await captureAndPublish({ ...options, signal: either }, onLeft, () => turn.assertHeld());
  } catch (error) {
    throw turn.lost.aborted ? turn.lost.reason : error;
  }
}

async function captureAndPublish(
  options: CaptureImageOptions,
  onLeft: (sentence: string) => void,
  assertTurn: () => Promise<void>,
): Promise<CapturedImage> {
  const { store, station, signingKey, passport, signal } = options;
  await using announcement = await announceCapture(store, onLeft);
  await using opened = await options.openSources?.();
  const startedAt = options.capturedAt ?? opened?.capturedAt ?? new Date();
  const paths = opened?.paths ?? options.disks.map(({ path }) => path);
  const windows = await options.readWindows?.(
    paths.map((path, number) => ({
      path,
      sectorBytes: passportDiskOf(options, number).logicalSectorBytes,
    })),
  );
  const disks = await captureDisks(options, announcement.store, paths).catch(async (error: unknown) => {
    // A snapshot that ran full reads as a failing disk.
    await opened?.assertWhole(error);
    throw error;
  });
  await opened?.assertWhole();
  const verified = await verifyStoredChunks(store, disks, {
    limits: options.limits ?? {},
    ...(signal === undefined ? {} : { signal }),
    onProgress: (doneBytes, totalBytes) =>
      options.onProgress?.({ phase: 'verify', disk: disks.length - 1, doneBytes, totalBytes }),
  });

  await assertTurn();
  // Named only now: another image of the station may have appeared in the meantime.
  const name =
    options.capturedAt === undefined
      ? await nameNextImage(store, station, startedAt)
      : await nameImageOf(store, station, options.capturedAt);
  const { chain, unreadable } = await continueChain(store, station, signingKey);
  const image = planManifest({
    ...options,
    ...chain,
    consistency: opened?.consistency ?? options.consistency,
    capturedAt: timeOf(name).toISOString(),
    bootEntries: options.bootEntries ?? [],
    bootOrder: options.bootOrder ?? [],
    passport,
    windows,
    disks: disks.map((captured, number) => ({ captured, passportDisk: passportDiskOf(options, number) })),
  });
  const signature = signBytes(image.manifestBytes, signingKey, `rekindle image ${formatImageRef(name)}`);
  const files = { manifestBytes: image.manifestBytes, files: image.files, signature };
  await publishImage(store, name, files, announcement.id);
  const manifest = await readBack(store, name, signingKey, image.manifestBytes);
  return {
    name,
    manifest,
    manifestSha256: hash('sha256', image.manifestBytes),
    disks,
    change: summariseChange(disks),
    verified,
    warnings: [
      ...[warnOfRole(manifest)].filter((warning) => warning !== undefined),
      ...disks.flatMap((disk, number) =>
        disk.warnings.map((warning) => `disk ${number} (${options.disks[number]?.path}): ${warning}`),
      ),
      ...unreadable.map(
        (each) => `the older image ${formatImageRef(each)} is damaged and cannot be restored`,
      ),
    ],
  };
}

async function captureDisks(
  options: CaptureImageOptions,
  store: WritableStoreRef,
  paths: readonly string[],
): Promise<CapturedDisk[]> {
  const sources = options.disks.map((disk, number) => ({ ...disk, path: paths[number] ?? disk.path }));
  let hibernatedElsewhere = false;
  for (const { path, passportDisk } of sources)
    hibernatedElsewhere ||= await findHibernation(path, passportDisk.logicalSectorBytes);
  const disks: CapturedDisk[] = [];
  for (const [disk, { path, passportDisk }] of sources.entries()) {
    disks.push(
      await captureDisk({
        path,
        store,
        dataVolumes: options.dataVolumes ?? [],
        hibernatedElsewhere,
        sectorBytes: passportDisk.logicalSectorBytes,
        ...(options.workers === undefined ? {} : { workers: options.workers }),
        limits: options.limits ?? {},
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        onProgress: ({ doneBytes, totalBytes }) =>
          options.onProgress?.({ phase: 'capture', disk, doneBytes, totalBytes }),
      }),
    );
  }
  return disks;
}

function assertStoreFolder(store: string): void {
  if (fs.statSync(store, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new RekindleError('store-unreachable', `Opening image store ${store}: there is no such folder`, {
    next: 'Check the path, and that the share or disk is mounted.',
  });
}

function passportDiskOf({ disks }: CaptureImageOptions, number: number): PassportDisk {
  const source = disks[number];
  if (source === undefined) throw new RangeError(`disk ${number} of ${disks.length}`);
  return source.passportDisk;
}

function timeOf({ utc }: ImageName): Date {
  const time = parseUtc(utc);
  if (time === null) throw new RangeError(`"${utc}" is no moment in time`);
  return time;
}

/** What a reader of the image will believe: signature, manifest, and every file with its listed hash. */
async function readBack(
  store: string,
  name: ImageName,
  key: SecretKey,
  written: Uint8Array,
): Promise<ImageManifest> {
  const { manifest, manifestBytes } = await readManifest(store, name, key);
  if (!Buffer.from(manifestBytes).equals(written)) {
    throw new RekindleError(
      'verification-failed',
      `Reading ${imageFolder(store, name)} again: its manifest is not the one that was written`,
      { next: 'Check the disk or share that holds the store, remove this image and capture again.' },
    );
  }
  for (const { name: file } of manifest.files) await readListedFile(store, name, manifest, file);
  return manifest;
}
