import { hash } from 'node:crypto';
import { formatDiskIndex } from '../format/disk-index.ts';
import { type ImagedWindows, type ImageManifest, imageManifestSchema } from '../format/image-manifest.ts';
import { diskIndexName } from '../format/image-name.ts';
import type { HardwarePassport, PassportDisk } from '../passport/hardware-passport.ts';
import type { CapturedDisk } from './capture-disk.ts';

/** What the capture itself cannot know. */
export interface ManifestFacts
  extends Pick<
    ImageManifest,
    | 'station'
    | 'computerName'
    | 'stationRole'
    | 'domainController'
    | 'capturedAt'
    | 'consistency'
    | 'tools'
    | 'sequence'
    | 'previousManifestSha256'
  > {
  readonly bootEntries: ImageManifest['firmware']['bootEntries'];
  readonly bootOrder: ImageManifest['firmware']['bootOrder'];
  readonly passport: HardwarePassport;
  readonly windows?: ImagedWindows | undefined;
  readonly disks: readonly { readonly captured: CapturedDisk; readonly passportDisk: PassportDisk }[];
}

export interface PlannedImage {
  readonly manifest: ImageManifest;
  /** The exact bytes of `manifest.json`, which are what is signed. */
  readonly manifestBytes: Uint8Array;
  /** Every other file of the image's folder: disk indexes and `passport.json`. */
  readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/** Puts the manifest of an image together. Pure. */
export function planManifest(facts: ManifestFacts): PlannedImage {
  const { station } = facts;
  const files = [
    ...facts.disks.map(({ captured }, number) => ({
      name: diskIndexName(station, number),
      bytes: formatDiskIndex(captured.index),
    })),
    { name: 'passport.json', bytes: formatJson(facts.passport) },
  ];
  const manifest = imageManifestSchema.parse({
    formatVersion: 1,
    station,
    computerName: facts.computerName,
    stationRole: facts.stationRole,
    ...(facts.domainController === undefined ? {} : { domainController: facts.domainController }),
    ...(facts.windows === undefined ? {} : { windows: facts.windows }),
    capturedAt: facts.capturedAt,
    consistency: facts.consistency,
    tools: facts.tools,
    sequence: facts.sequence,
    previousManifestSha256: facts.previousManifestSha256,
    firmware: {
      kind: facts.passport.firmware.kind,
      bootEntries: facts.bootEntries,
      bootOrder: facts.bootOrder,
    },
    disks: facts.disks.map(({ captured, passportDisk }, number) => ({
      number,
      slot: passportDisk.slot,
      model: passportDisk.model,
      ...(passportDisk.serial === undefined ? {} : { serial: passportDisk.serial }),
      ...(passportDisk.wwn === undefined ? {} : { wwn: passportDisk.wwn }),
      sizeBytes: captured.sizeBytes,
      logicalSectorBytes: captured.logicalSectorBytes,
      physicalSectorBytes: passportDisk.physicalSectorBytes,
      diskIndex: diskIndexName(station, number),
      partitionTable: captured.partitionTable,
      volumes: captured.volumes,
    })),
    files: files.map(({ name, bytes }) => ({
      name,
      bytes: bytes.length,
      sha256: hash('sha256', bytes),
    })),
  } satisfies Record<Exclude<keyof ImageManifest, 'windows' | 'domainController'>, unknown>);
  return { manifest, manifestBytes: formatJson(manifest), files };
}

function formatJson(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}
