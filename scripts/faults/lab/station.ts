import fs from 'node:fs';
import path from 'node:path';
import { planManifest } from '#images/capture/plan-manifest.ts';
import type { StationName } from '#images/format/image-manifest.ts';
import { formatImageRef, formatUtc } from '#images/format/image-name.ts';
import { formatPublicKey, generateKeyPair, type SecretKey, signBytes } from '#images/format/minisign.ts';
import { publishImage } from '#images/stores/publish-image.ts';
import { type CapturedDemo, captureDemoDisk } from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';
import type { RestoreJob } from './restore-child.ts';

/** The demo station with a published, signed image in a directory store, as the campaigns break it. */
export interface FaultStation extends CapturedDemo {
  /** STATION@UTC */
  readonly ref: string;
  readonly secretKey: SecretKey;
  readonly publicKeyFile: string;
}

export const stationName = 'FAULT-1A' as StationName;
export async function makeStation(folder: string): Promise<FaultStation> {
  fs.mkdirSync(folder, { recursive: true });
  const demo = await captureDemoDisk(folder);
  const secretKey = generateKeyPair();
  const publicKeyFile = path.join(folder, 'site.pub');
  fs.writeFileSync(publicKeyFile, formatPublicKey(secretKey));
  fs.writeFileSync(path.join(folder, 'disk.json'), JSON.stringify(demo.disk));
  const ref = publishDemo(demo, secretKey, new Date('2026-11-20T02:00:00Z'));
  return { ...demo, ref, secretKey, publicKeyFile };
}

/** Signs and publishes what was captured, the way the service does it after a capture. */
export function publishDemo(
  { captured, store }: Pick<CapturedDemo, 'captured' | 'store'>,
  secretKey: SecretKey,
  time: Date,
): string {
  const passport = somePassport();
  const [passportDisk] = passport.disks;
  if (passportDisk === undefined) throw new Error('the passport has no disk');
  const name = { station: stationName, utc: formatUtc(time) };
  const image = planManifest({
    station: stationName,
    computerName: stationName,
    stationRole: 'client',
    capturedAt: time.toISOString(),
    consistency: 'offline',
    tools: {},
    sequence: 1,
    previousManifestSha256: null,
    bootEntries: [],
    bootOrder: [],
    passport,
    disks: [{ captured, passportDisk }],
  });
  const signature = signBytes(image.manifestBytes, secretKey, `rekindle image ${formatImageRef(name)}`);
  publishImage(store, name, { manifestBytes: image.manifestBytes, signature, files: image.files });
  return formatImageRef(name);
}

export function restoreJob(
  { store, publicKeyFile, ref }: FaultStation,
  target: string,
  workers: number,
): RestoreJob {
  return { store, publicKeyFile, ref, target, workers };
}
