import { createHash } from 'node:crypto';
import { crc32, zstdCompressSync } from 'node:zlib';
import { RekindleError } from '#base/errors.ts';
import { parseDomainLog } from '#images/capture/domain-log.ts';
import { parseBlkid } from '#images/capture/identify-file-system.ts';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { parseDiskIndex } from '#images/format/disk-index.ts';
import { parseImageName, parseImageRef } from '#images/format/image-name.ts';
import {
  formatPublicKey,
  formatSecretKey,
  generateKeyPair,
  parsePublicKey,
  parseSecretKey,
  signBytes,
  verifySignature,
} from '#images/format/minisign.ts';
import { parsePartitionTable } from '#images/format/partition-table/partition-table.ts';
import type { SystemStateManifest } from '#images/format/system-state-manifest.ts';
import { hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { packChunk, unpackChunk } from '#images/stores/chunk-file.ts';
import { parseManifest } from '#images/stores/image-folder.ts';
import { parseSystemStateManifest } from '#images/stores/system-state-files.ts';
import { parseLoadOption } from '#runtime/firmware/load-option.ts';
import { formatInterruptedRestore, parseInterruptedRestore } from '#runtime/restore/interrupted-restore.ts';
import { noise } from '#test/support/restore-demo-disk.ts';
import { smallImage } from '#test/support/small-image.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { mutateBytes, mutateJson, type Random } from './mutations.ts';

/** A parser and how to feed it. It answers, or refuses with a sentence that names what it read; nothing else. */
export interface FuzzedParser {
  readonly name: string;
  /** Good inputs. */
  readonly seeds: readonly Uint8Array[];
  /** In the refusal: which file it was. Absent: the parser never throws, it says so in its answer. */
  readonly named?: string;
  /** At most so many inputs: each takes long. */
  readonly most?: number;
  mutate(random: Random): Buffer;
  parse(bytes: Buffer): void;
}

type Given = Pick<FuzzedParser, 'name' | 'parse'> & {
  seeds: readonly (Uint8Array | string)[];
  named?: string;
  most?: number;
};

function parserOf(
  given: Given,
  repair: (bytes: Buffer, random: Random) => Buffer = (bytes) => bytes,
): FuzzedParser {
  const seeds = given.seeds.map((seed) => Buffer.from(seed));
  return {
    ...given,
    seeds,
    mutate(random) {
      const seed = seeds[Math.floor(random() * seeds.length)] ?? Buffer.alloc(0);
      return repair(mutateBytes(seed, seeds, random), random);
    },
  };
}

/** Half of the inputs are damaged as JSON, so that they reach the schema. */
function jsonParserOf(given: Given): FuzzedParser {
  const texts = given.seeds.map((seed) => Buffer.from(seed).toString());
  const bytewise = parserOf(given);
  return {
    ...bytewise,
    mutate: (random) =>
      random() < 0.5
        ? bytewise.mutate(random)
        : Buffer.from(mutateJson(texts[Math.floor(random() * texts.length)] ?? '{}', random)),
  };
}

const image = smallImage('FUZZ-1A', somePassport(), { sequence: 1, previousManifestSha256: null });
const systemState = {
  formatVersion: 1,
  station: 'FUZZ-1A',
  computerName: 'FUZZ-1A',
  takenAt: '2026-11-20T02:00:00Z',
  version: '11/20/2026-02:00',
  files: ['MediaId', 'Catalog/GlobalCatalog', 'Backup 2026-11-20 020000/b2b0.vhdx'].map((path) => ({
    path,
    bytes: 1,
    sha256: 'a0'.repeat(32),
  })),
};
const key = generateKeyPair();
const signed = Buffer.from('what is signed');
const plain = Buffer.concat([noise('fuzz', 300), Buffer.from('the same line again\n'.repeat(200))]);
const plainId = chunkIdOf(plain);
const goodChunk = packChunk(plain);
const chunkMemory = new Uint8Array(1 << 20);

export const parsers: readonly FuzzedParser[] = [
  parserOf({
    name: 'disk index',
    seeds: [image.index],
    named: 'fuzz.caibx',
    parse: (bytes) => void parseDiskIndex(bytes, 'fuzz.caibx'),
  }),
  parserOf(
    {
      name: 'disk index with a right tail',
      seeds: [image.index],
      named: 'fuzz.caibx',
      parse: (bytes) => void parseDiskIndex(bytes, 'fuzz.caibx'),
    },
    withRightTail,
  ),
  parserOf({
    name: 'chunk file',
    seeds: [packChunk(plain), zstdCompressSync(plain)],
    named: plainId,
    parse: (bytes) => expectSame(unpackChunk(plainId, bytes, 'the store')),
  }),
  parserOf({
    name: 'chunk file into kept memory',
    seeds: [packChunk(plain), zstdCompressSync(plain)],
    named: plainId,
    parse(bytes) {
      try {
        expectSame(unpackChunk(plainId, bytes, 'the store', 'sha256', chunkMemory));
      } finally {
        // A damaged chunk must not spoil what is kept for the next good one.
        expectSame(unpackChunk(plainId, goodChunk, 'the store', 'sha256', chunkMemory));
      }
    },
  }),
  parserOf({
    name: 'chunk file of 4 KB with 125 MiB',
    seeds: [runLengthBomb()],
    named: plainId,
    most: 40,
    parse: (bytes) => expectSame(unpackChunk(plainId, bytes, 'the store')),
  }),
  jsonParserOf({
    name: 'manifest',
    seeds: [JSON.stringify(image.manifest)],
    named: 'FUZZ-1A',
    parse: (bytes) => void parseManifest(bytes, 'FUZZ-1A@latest'),
  }),
  jsonParserOf({
    name: 'manifest of a system state',
    seeds: [JSON.stringify(systemState)],
    named: 'FUZZ-1A',
    parse: (bytes) => assertPlainPaths(parseSystemStateManifest(bytes, 'FUZZ-1A@20261120T020000Z')),
  }),
  jsonParserOf({
    name: 'passport',
    seeds: [JSON.stringify(somePassport())],
    parse: (bytes) => {
      const value = parseJsonOrNull(bytes);
      hardwarePassportSchema.safeParse(value);
    },
  }),
  parserOf({
    name: 'signature',
    seeds: [signBytes(signed, key, 'rekindle image FUZZ-1A@20261120T020000Z')],
    named: 'the manifest',
    parse: (bytes) => void verifySignature(signed, bytes.toString(), key, 'the manifest'),
  }),
  parserOf({
    name: 'public key',
    seeds: [formatPublicKey(key)],
    named: 'public key',
    parse: (bytes) => void parsePublicKey(bytes.toString()),
  }),
  parserOf({
    name: 'secret key',
    seeds: [formatSecretKey(key)],
    named: 'secret key',
    parse: (bytes) => void parseSecretKey(bytes.toString()),
  }),
  parserOf({ name: 'partition table', seeds: disks(), parse: parseTable }),
  parserOf({ name: 'partition table with right CRCs', seeds: disks(), parse: parseTable }, withRightCrcs),
  parserOf({
    name: 'domain log of partclone',
    seeds: [
      '# Domain logfile created by partclone\n# current_pos current_status\n0x00000000 +\n0x00000000 0x00100000 +\n0x00100000 0x00300000 ?\n0x00400000 0x00000200 +\n',
    ],
    parse: (bytes) => void parseDomainLog(bytes.toString(), 8 << 20),
  }),
  parserOf({
    name: 'what blkid says',
    seeds: ['DEVNAME=/dev/sda1\nLABEL=a\\ b\nTYPE=ext4\n'],
    parse: (bytes) => void parseBlkid(bytes.toString()),
  }),
  parserOf({
    name: 'image name',
    seeds: ['OS-SRV-1A_20261120T020000Z'],
    parse: (bytes) => assertPlainName(parseImageName(bytes.toString())),
  }),
  parserOf({
    name: 'image reference',
    seeds: ['OS-SRV-1A@20261120T020000Z', 'OS-SRV-1A@latest'],
    named: '"',
    parse: (bytes) => assertPlainName(parseImageRef(bytes.toString())),
  }),
  parserOf(
    {
      name: 'note of an interrupted restore',
      seeds: [formatInterruptedRestore({ kept: [{ startByte: 1, sizeBytes: 2 }] })],
      parse: (bytes) => void parseInterruptedRestore(bytes),
    },
    withRightNoteHash,
  ),
  parserOf({
    name: 'EFI load option',
    seeds: [Buffer.from(`010000001800440065006200000004011400${'00'.repeat(16)}7fff0400`, 'hex')],
    named: 'UEFI boot entry',
    parse: (bytes) => void parseLoadOption(bytes),
  }),
];

function expectSame(found: Uint8Array): void {
  if (chunkIdOf(found) !== plainId) throw new Error('other bytes than the id says were handed out');
}

/** 1,000 blocks of 128 KiB each in 4 KB: 125 MiB of one byte. */
function runLengthBomb(): Buffer {
  const block = Buffer.from([
    (0b010 | (131_072 << 3)) & 0xff,
    ((131_072 << 3) >> 8) & 0xff,
    (131_072 << 3) >> 16,
    0x61,
  ]);
  const last = Buffer.from(block);
  last[0] = (last[0] ?? 0) | 1;
  return Buffer.concat([
    Buffer.from('28b52ffd0058', 'hex'),
    ...Array.from({ length: 999 }, () => block),
    last,
  ]);
}

/** The tail repeats sizes: with wrong ones everything behind them would never be reached. */
function withRightTail(bytes: Buffer): Buffer {
  if (bytes.length < 104) return bytes;
  const whole = Buffer.from(bytes.subarray(0, 104 + Math.floor((bytes.length - 104) / 40) * 40));
  const tail = whole.length - 40;
  for (const [at, value] of [
    [0, 0n],
    [8, 0n],
    [16, 48n],
    [24, BigInt(whole.length - 48)],
    [32, 0x4b4f050e5549ecd1n],
  ] as const) {
    whole.writeBigUInt64LE(value, tail + at);
  }
  return whole;
}

function parseTable(bytes: Buffer): void {
  for (const sectorBytes of [512, 4096]) {
    parsePartitionTable({
      sizeBytes: bytes.length,
      sectorBytes,
      read: (offset, length) => {
        if (offset < 0 || length < 0 || offset + length > bytes.length)
          throw new RangeError(`${length} bytes at ${offset} are not on the disk`);
        return bytes.subarray(offset, offset + length);
      },
    });
  }
}

/** Two disks of 256 KiB: a GPT with one partition, and an MBR with a chain of two logical ones. */
function disks(): Buffer[] {
  const gpt = Buffer.alloc(256 << 10);
  gpt.write('0200ee4101000100000001000000', 446 + 2, 'hex');
  gpt.write('55aa', 510, 'hex');
  const header = (lba: number, other: number, entries: number): void => {
    gpt.write('4546492050415254000001005c000000', lba * 512, 'hex');
    gpt.writeBigUInt64LE(BigInt(lba), lba * 512 + 24);
    gpt.writeBigUInt64LE(BigInt(other), lba * 512 + 32);
    gpt.writeBigUInt64LE(34n, lba * 512 + 40);
    gpt.writeBigUInt64LE(478n, lba * 512 + 48);
    gpt.writeBigUInt64LE(BigInt(entries), lba * 512 + 72);
    gpt.writeUInt32LE(128, lba * 512 + 80);
    gpt.writeUInt32LE(128, lba * 512 + 84);
    noise('type', 32).copy(gpt, entries * 512);
    gpt.writeBigUInt64LE(40n, entries * 512 + 32);
    gpt.writeBigUInt64LE(79n, entries * 512 + 40);
    gpt.write('root', entries * 512 + 56, 'utf16le');
  };
  header(1, 511, 2);
  header(511, 1, 479);
  const mbr = Buffer.alloc(256 << 10);
  const record = (lba: number, slots: readonly (readonly [number, number, number])[]): void => {
    for (const [slot, [type, first, sectors]] of slots.entries()) {
      mbr.writeUInt8(type, lba * 512 + 446 + slot * 16 + 4);
      mbr.writeUInt32LE(first, lba * 512 + 446 + slot * 16 + 8);
      mbr.writeUInt32LE(sectors, lba * 512 + 446 + slot * 16 + 12);
    }
    mbr.write('55aa', lba * 512 + 510, 'hex');
  };
  record(0, [
    [7, 63, 50],
    [5, 128, 256],
  ]);
  record(128, [
    [0x83, 1, 50],
    [5, 60, 60],
  ]);
  record(188, [[0x82, 1, 50]]);
  return [withRightCrcs(gpt), mbr];
}

/** Both headers and entry arrays sealed again, where they say that they are. */
function withRightCrcs(bytes: Buffer): Buffer {
  const disk = Buffer.from(bytes);
  for (const lba of [1, Math.floor(disk.length / 512) - 1]) {
    const at = lba * 512;
    if (lba < 1 || at + 512 > disk.length) continue;
    const entriesAt = Number(disk.readBigUInt64LE(at + 72)) * 512;
    const entryBytes = disk.readUInt32LE(at + 80) * disk.readUInt32LE(at + 84);
    if (entriesAt + entryBytes <= disk.length)
      disk.writeUInt32LE(crc32(disk.subarray(entriesAt, entriesAt + entryBytes)), at + 88);
    const size = disk.readUInt32LE(at + 12);
    if (size < 20 || size > 512) continue;
    disk.writeUInt32LE(0, at + 16);
    disk.writeUInt32LE(crc32(disk.subarray(at, at + size)), at + 16);
  }
  return disk;
}

function withRightNoteHash(bytes: Buffer): Buffer {
  if (bytes.length !== 4096) return bytes;
  createHash('sha256').update(bytes.subarray(48)).digest().copy(bytes, 16);
  return bytes;
}

function parseJsonOrNull(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return null;
  }
}

/** A name that is believed must not lead out of its folder. */
function assertPlainName(name: { readonly station: string; readonly utc: string } | null): void {
  if (name !== null && /[/\\\0]|\.\./.test(name.station + name.utc))
    throw new Error(`"${name.station}" is no plain name`);
}

/** Nor may a file of a system state, whoever joins its path to a folder. */
function assertPlainPaths({ computerName, files }: SystemStateManifest): void {
  for (const part of [computerName, ...files.flatMap(({ path }) => path.split('/'))])
    if (/^\.{0,2}$|[/\\\0]/.test(part)) throw new Error(`"${part}" is no plain name`);
}

/** @returns what is wrong with the way in which the parser refused; null when it is as it has to be */
export function judgeRefusal(parser: FuzzedParser, error: unknown): string | null {
  if (!(error instanceof RekindleError))
    return `threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
  if (parser.named === undefined) return `threw, which it never may: ${error.message}`;
  if (!error.message.includes(parser.named)) return `does not say what it read: ${error.message}`;
  return error.code === 'unexpected' && parser.name !== 'EFI load option'
    ? `has no code: ${error.message}`
    : null;
}
