import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';

/** Two chunks of 4 KiB as one disk of 8 KiB, with its casync index written by hand (images/README.md). */

export interface SmallImage {
  readonly chunks: readonly { readonly id: string; readonly file: Buffer }[];
  readonly index: Buffer;
  readonly passportFile: Buffer;
  readonly manifest: Record<string, unknown>;
}

const chunkBytes = 4096;

function diskIndex(ids: readonly string[]): Buffer {
  const numbers = (...values: bigint[]) => {
    const bytes = Buffer.alloc(values.length * 8);
    values.forEach((value, index) => {
      bytes.writeBigUInt64LE(value, index * 8);
    });
    return bytes;
  };
  const size = BigInt(chunkBytes);
  const items = ids.map((id, index) =>
    Buffer.concat([numbers(size * BigInt(index + 1)), Buffer.from(id, 'hex')]),
  );
  const tableBytes = BigInt(16 + (ids.length + 1) * 40);
  return Buffer.concat([
    numbers(48n, 0x96824d9c7b129ff9n, 0n, 1n, size, size),
    numbers(0xffffffffffffffffn, 0xe75b9e112f17417dn),
    ...items,
    numbers(0n, 0n, 48n, tableBytes, 0x4b4f050e5549ecd1n),
  ]);
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** `seed` makes the chunks of one image differ from those of another. */
export function smallImage(
  station: string,
  passport: HardwarePassport,
  promise: {
    readonly sequence: number;
    readonly previousManifestSha256: string | null;
    readonly capturedAt?: string;
  },
  seed = 1,
): SmallImage {
  const plain = [Buffer.alloc(chunkBytes, seed), Buffer.alloc(chunkBytes, seed + 1)];
  const chunks = plain.map((bytes) => ({ id: sha256(bytes), file: zstdCompressSync(bytes) }));
  const index = diskIndex(chunks.map(({ id }) => id));
  const passportFile = Buffer.from(JSON.stringify(passport));
  const diskIndexName = `${station}_disk0.caibx`;
  const manifest = {
    formatVersion: 1,
    station,
    computerName: station,
    stationRole: 'client',
    capturedAt: '2026-11-20T02:00:00Z',
    consistency: 'offline',
    tools: { rekindle: '0.1.0' },
    ...promise,
    firmware: { kind: 'bios', bootEntries: [], bootOrder: [] },
    disks: [
      {
        number: 0,
        slot: '0000:00:1f.2/ata1',
        model: 'EXAMPLE SSD 240',
        serial: 'SSD-0001',
        sizeBytes: chunkBytes * plain.length,
        logicalSectorBytes: 512,
        physicalSectorBytes: 512,
        diskIndex: diskIndexName,
        partitionTable: { kind: 'none', primary: '', backup: '' },
        volumes: [],
      },
    ],
    files: [
      { name: diskIndexName, bytes: index.length, sha256: sha256(index) },
      { name: 'passport.json', bytes: passportFile.length, sha256: sha256(passportFile) },
    ],
  };
  return { chunks, index, passportFile, manifest };
}

/** The files of an image with this index as its only disk, unsigned. */
export function smallImageOf(
  station: string,
  passport: HardwarePassport,
  index: Buffer,
  diskBytes: number,
  promise: {
    readonly sequence: number;
    readonly previousManifestSha256: string | null;
    readonly capturedAt?: string;
  } = { sequence: 1, previousManifestSha256: null },
) {
  const { manifest, passportFile } = smallImage(station, passport, promise);
  const [disk] = manifest['disks'] as [object];
  const diskIndex = `${station}_disk0.caibx`;
  const files = [
    { name: diskIndex, bytes: index },
    { name: 'passport.json', bytes: passportFile },
  ];
  const whole = {
    ...manifest,
    disks: [{ ...disk, sizeBytes: diskBytes }],
    files: files.map(({ name, bytes }) => ({ name, bytes: bytes.length, sha256: sha256(bytes) })),
  };
  return { manifestBytes: Buffer.from(`${JSON.stringify(whole)}\n`), files };
}
