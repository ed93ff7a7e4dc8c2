import { crc32 } from 'node:zlib';
import type { DiskBytes } from './disk-bytes.ts';
import { parseGuid } from './guid.ts';

/** GUID partition table (UEFI 2.10, 5.3): header at LBA 1 and at the last LBA, entries beside each. */

export interface GptHeader {
  readonly myLba: number;
  readonly alternateLba: number;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
  readonly diskGuid: string;
  readonly entriesLba: number;
  readonly entryCount: number;
  readonly entryBytes: number;
}

export interface GptEntry {
  /** Slot, from 1. */
  readonly number: number;
  readonly typeGuid: string;
  readonly partitionGuid: string;
  readonly firstLba: number;
  readonly lastLba: number;
  readonly name: string;
}

/** One of the two copies, or why it is not one. */
export type GptCopy =
  | {
      readonly valid: true;
      readonly header: GptHeader;
      readonly entries: readonly GptEntry[];
      readonly headerBytes: Uint8Array;
      readonly entryArray: Uint8Array;
    }
  | { readonly valid: false; readonly reason: string };

const signature = 'EFI PART';
const emptyType = '00000000-0000-0000-0000-000000000000';
/** 16 MiB of entries: more is no table. */
const entryArrayLimit = 16 << 20;

export const gptHeaderOffsets = {
  headerBytes: 12,
  headerCrc: 16,
  myLba: 24,
  alternateLba: 32,
  lastUsableLba: 48,
  entriesLba: 72,
} as const;

/** Reads the copy whose header is at `lba`, checking both CRCs and that every entry is usable. */
export function parseGptCopy(disk: DiskBytes, lba: number): GptCopy {
  const no = (reason: string): GptCopy => ({ valid: false, reason });
  const { sectorBytes } = disk;
  const lastLba = Math.floor(disk.sizeBytes / sectorBytes) - 1;
  if (lba < 1 || lba > lastLba) return no(`LBA ${lba} is not on the disk`);
  const sector = Buffer.from(disk.read(lba * sectorBytes, sectorBytes));
  if (sector.toString('latin1', 0, 8) !== signature) return no(`no GPT signature at LBA ${lba}`);
  const size = sector.readUInt32LE(gptHeaderOffsets.headerBytes);
  if (size < 92 || size > sectorBytes) return no(`the header at LBA ${lba} claims ${size} bytes`);
  const forCrc = Buffer.from(sector.subarray(0, size));
  forCrc.writeUInt32LE(0, gptHeaderOffsets.headerCrc);
  if (crc32(forCrc) !== sector.readUInt32LE(gptHeaderOffsets.headerCrc))
    return no(`the CRC of the header at LBA ${lba} is wrong`);

  const header: GptHeader = {
    myLba: readLba(sector, gptHeaderOffsets.myLba),
    alternateLba: readLba(sector, gptHeaderOffsets.alternateLba),
    firstUsableLba: readLba(sector, 40),
    lastUsableLba: readLba(sector, gptHeaderOffsets.lastUsableLba),
    diskGuid: parseGuid(sector.subarray(56, 72)),
    entriesLba: readLba(sector, gptHeaderOffsets.entriesLba),
    entryCount: sector.readUInt32LE(80),
    entryBytes: sector.readUInt32LE(84),
  };
  if (header.myLba !== lba) return no(`the header at LBA ${lba} says that it is at LBA ${header.myLba}`);
  const arrayBytes = header.entryCount * header.entryBytes;
  if (header.entryBytes < 128 || header.entryBytes % 8 !== 0 || arrayBytes > entryArrayLimit) {
    return no(`the header at LBA ${lba} claims ${header.entryCount} entries of ${header.entryBytes} bytes`);
  }
  const arrayAt = header.entriesLba * sectorBytes;
  if (header.entriesLba < 1 || arrayAt + arrayBytes > disk.sizeBytes)
    return no(`the entries at LBA ${header.entriesLba} are not on the disk`);
  const entryArray = disk.read(arrayAt, arrayBytes);
  if (crc32(entryArray) !== sector.readUInt32LE(88))
    return no(`the CRC of the entries at LBA ${header.entriesLba} is wrong`);

  const entries: GptEntry[] = [];
  for (let slot = 0; slot < header.entryCount; slot++) {
    const entry = parseEntry(
      entryArray.subarray(slot * header.entryBytes, (slot + 1) * header.entryBytes),
      slot + 1,
    );
    if (entry === null) continue;
    if (entry.firstLba > entry.lastLba) return no(`entry ${entry.number} ends before it starts`);
    entries.push(entry);
  }
  return { valid: true, header, entries, headerBytes: sector, entryArray };
}

function parseEntry(bytes: Uint8Array, number: number): GptEntry | null {
  const typeGuid = parseGuid(bytes.subarray(0, 16));
  if (typeGuid === emptyType) return null;
  const view = Buffer.from(bytes);
  const name = view.toString('utf16le', 56, 128);
  const end = name.indexOf('\0');
  return {
    number,
    typeGuid,
    partitionGuid: parseGuid(bytes.subarray(16, 32)),
    firstLba: readLba(view, 32),
    lastLba: readLba(view, 40),
    name: end === -1 ? name : name.slice(0, end),
  };
}

/** An LBA beyond 2^53 is on no disk; it then fails the range checks as infinity does. */
function readLba(view: Buffer, at: number): number {
  const value = view.readBigUInt64LE(at);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(value);
}
