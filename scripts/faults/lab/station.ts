import fs from 'node:fs';
import path from 'node:path';
import type { CapturedImage } from '#images/capture/capture-image.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import {
  formatPublicKey,
  formatSecretKey,
  generateKeyPair,
  parseSecretKey,
} from '#images/format/minisign.ts';
import { captureImageOf, somePassportDisk } from '#test/support/capture-image-of.ts';
import { type CapturedDemo, captureDemoDisk, demoDisk } from '#test/support/restore-demo-disk.ts';
import type { RestoreJob } from './restore-child.ts';

/** The demo station with a published, signed image in a directory store, as the campaigns break it. */
export interface FaultStation extends CapturedDemo {
  /** STATION@UTC */
  readonly ref: string;
  readonly secretKeyFile: string;
  readonly publicKeyFile: string;
}

export async function makeStation(folder: string): Promise<FaultStation> {
  fs.mkdirSync(folder, { recursive: true });
  const demo = await captureDemoDisk(folder);
  const [secretKeyFile, publicKeyFile] = [path.join(folder, 'site.key'), path.join(folder, 'site.pub')];
  const key = generateKeyPair();
  fs.writeFileSync(secretKeyFile, formatSecretKey(key), { mode: 0o600 });
  fs.writeFileSync(publicKeyFile, formatPublicKey(key));
  const { name } = await captureDemoImage({
    disk: demo.station,
    store: demo.store,
    secretKeyFile,
    workers: 2,
  });
  return { ...demo, ref: formatImageRef(name), secretKeyFile, publicKeyFile };
}

export interface CaptureJob {
  readonly disk: string;
  readonly store: string;
  readonly secretKeyFile: string;
  readonly workers: number;
}

/** The demo station's disk to a published image, all the way of `rekindle image capture`. */
export function captureDemoImage({
  disk,
  store,
  secretKeyFile,
  workers,
}: CaptureJob): Promise<CapturedImage> {
  return captureImageOf(store, [{ path: disk, passportDisk: somePassportDisk(demoDisk.sizeBytes) }], {
    signingKey: parseSecretKey(fs.readFileSync(secretKeyFile, 'utf8')),
    dataVolumes: ['PROJECTS'],
    workers,
  });
}

export function restoreJob(
  { store, publicKeyFile, ref }: FaultStation,
  target: string,
  workers: number,
): RestoreJob {
  return { store, publicKeyFile, ref, target, workers };
}
