import { hash } from 'node:crypto';
import fs from 'node:fs';
import type { ImageDisk, ImageManifest, StationName } from '#images/format/image-manifest.ts';
import { formatImageName, type ImageName } from '#images/format/image-name.ts';
import { formatPublicKey, generateKeyPair, type SecretKey, signBytes } from '#images/format/minisign.ts';
import { publishImage } from '#images/stores/publish-image.ts';
import type { BenchLab } from './bench-lab.ts';

/** Publishes chunks of a store as an image that the service and the image verbs take for one. */
export async function publishBenchImage(
  store: string,
  name: ImageName,
  { diskIndex, disk }: { readonly diskIndex: Uint8Array; readonly disk: DescribedDisk },
  signingKey: SecretKey,
): Promise<void> {
  const passport = Buffer.from('{}');
  const diskIndexName = `${name.station}_disk0.caibx`;
  const listed = (file: string, bytes: Uint8Array) => ({
    name: file,
    bytes: bytes.length,
    sha256: hash('sha256', bytes),
  });
  const manifest: ImageManifest = {
    formatVersion: 1,
    station: name.station,
    computerName: name.station,
    stationRole: 'client',
    capturedAt: '2026-11-20T02:00:00Z',
    consistency: 'offline',
    tools: {},
    sequence: 1,
    previousManifestSha256: null,
    firmware: { kind: 'bios', bootEntries: [], bootOrder: [] },
    disks: [benchImageDisk(disk, diskIndexName)],
    files: [listed(diskIndexName, diskIndex), listed('passport.json', passport)],
  };
  const manifestBytes = Buffer.from(JSON.stringify(manifest));
  await publishImage(
    store,
    name,
    {
      manifestBytes,
      signature: signBytes(manifestBytes, signingKey, formatImageName(name)),
      files: [
        { name: diskIndexName, bytes: diskIndex },
        { name: 'passport.json', bytes: passport },
      ],
    },
    // Nothing else works on this store.
    'bench',
  );
}

export const benchStation = 'BENCH' as StationName;

/** What a capture says of a disk. */
export type DescribedDisk = Pick<
  ImageDisk,
  'sizeBytes' | 'logicalSectorBytes' | 'partitionTable' | 'volumes'
>;

/** Left beside the disk index by `engine.ts capture`. */
export const readDescribedDisk = (indexFile: string): DescribedDisk =>
  JSON.parse(fs.readFileSync(`${indexFile}.json`, 'utf8'));

export function benchImageDisk(described: DescribedDisk, diskIndexName: string): ImageDisk {
  return {
    ...{ number: 0, slot: '0000:00:1f.2', model: 'BENCH', physicalSectorBytes: 512 },
    ...{ diskIndex: diskIndexName, ...described },
  };
}

/** Publishes what `engine.ts capture` left, signed by a new key. @returns the file of the public key */
export async function publishForVerify(
  lab: BenchLab,
  { store, index }: { readonly store: string; readonly index: string },
): Promise<string> {
  const key = generateKeyPair();
  const image = { diskIndex: fs.readFileSync(index), disk: readDescribedDisk(index) };
  await publishBenchImage(store, { station: benchStation, utc: '20261120T020000Z' }, image, key);
  const file = lab.file('image-signing.pub');
  fs.writeFileSync(file, formatPublicKey(key));
  return file;
}
