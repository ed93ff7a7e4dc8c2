import { RekindleError } from '#base/errors.ts';
import { crc32c } from './crc32c.ts';

/**
 * What VHD and VHDX files say of themselves that qemu-img does not: the kind of a VHD, and a VHDX' sector size
 * and parent. ([MS-VHDX] 2.2 to 2.6; VHD specification, "Hard Disk Footer Format")
 */
export type VirtualDiskFacts = { readonly format: 'vhd'; readonly differencing: boolean } | VhdxFacts;

export interface VhdxFacts {
  readonly format: 'vhdx';
  /** Needs another file to be complete. */
  readonly differencing: boolean;
  readonly sectorBytes: number;
  /** Of the disk that it stands for. */
  readonly sizeBytes: number;
  /** It was not closed properly, and its tables are not what its log says. */
  readonly logToReplay: boolean;
  /** Bytes that the file has to have: its last block ends there. */
  readonly endByte: number;
}

/** QEMU reads VHDX with logical sectors of this size only (7.2). */
export const qemuSectorBytes = 512;

export interface FileBytes {
  readonly sizeBytes: number;
  /** Exactly so many bytes. */
  read(offset: number, length: number): Buffer;
}

const footerBytes = 512;
const vhdKind = { fixed: 2, dynamic: 3, differencing: 4 } as const;

/** Null when the file is neither. @throws RekindleError `usage`: it is one, and damaged */
export function readVirtualDiskFacts(file: FileBytes): VirtualDiskFacts | null {
  if (file.sizeBytes >= footerBytes) {
    // A fixed VHD has it at its end only, a dynamic one at its start too.
    const footer = file.read(file.sizeBytes - footerBytes, footerBytes);
    if (footer.toString('latin1', 0, 8) === 'conectix') {
      return { format: 'vhd', differencing: footer.readUInt32BE(60) === vhdKind.differencing };
    }
  }
  const isVhdx = file.sizeBytes >= 8 && file.read(0, 8).toString('latin1') === 'vhdxfile';
  return isVhdx ? readVhdx(file) : null;
}

const headers = [64 << 10, 128 << 10];
const headerBytes = 4 << 10;
const regionTables = [192 << 10, 256 << 10];
const tableBytes = 64 << 10;
const batRegion = '6677c22d23f600429d64115e9bfd4a08';
const metadataRegion = '06a27c8b90479a4bb8fe575f050f886e';
const fileParameters = '3767a1ca36fa434db3b633f0aa44e76b';
const virtualDiskSize = '2442a52f1bcd7648b2115dbed83bf4b8';
const logicalSectorSize = '1dbf41816fa90947ba47f233a8faab5f';
const entryBytes = 32;
const hasParent = 2;
/** States of a payload block that has its place in the file (2.5.1.1). */
const present = new Set([6n, 7n]);
const batLimit = 64 << 20;

function readVhdx(file: FileBytes): VirtualDiskFacts {
  const damaged = (what: string): never => {
    throw new RekindleError('usage', `Reading the VHDX file: ${what}`, {
      next: 'It is cut off or damaged. Take another copy, or make it anew.',
    });
  };
  const read = (offset: number, length: number, what: string): Buffer =>
    offset + length <= file.sizeBytes ? file.read(offset, length) : damaged(`${what} lies behind its end`);

  const header = currentHeader(headers.map((at) => read(at, headerBytes, 'the header')));
  if (header === undefined) return damaged('neither of its two headers is whole');
  const regions = regionTables
    .map((at) => read(at, tableBytes, 'the region table'))
    .find((table) => isWhole(table, 'regi'));
  if (regions === undefined) return damaged('neither of its two region tables is whole');
  const metadataAt = findEntry(regions, 8, 16, metadataRegion);
  if (metadataAt === null) return damaged('it has no metadata region');
  const regionAt = Number(regions.readBigUInt64LE(metadataAt + 16));
  const metadata = read(regionAt, tableBytes, 'the metadata');
  if (metadata.toString('latin1', 0, 8) !== 'metadata') damaged('the metadata do not begin as such');
  const item = (guid: string, what: string): Buffer => {
    const entry = findEntry(metadata, 10, entryBytes, guid, true);
    if (entry === null) return damaged(`the metadata lack ${what}`);
    return read(regionAt + metadata.readUInt32LE(entry + 16), 8, what);
  };
  const parameters = item(fileParameters, 'the file parameters');
  const blockBytes = parameters.readUInt32LE(0);
  const batAt = findEntry(regions, 8, 16, batRegion);
  if (batAt === null) return damaged('it has no block allocation table');
  const batBytes = regions.readUInt32LE(batAt + 24);
  if (batBytes > batLimit) damaged(`its block allocation table has ${batBytes} bytes`);
  const bat = read(Number(regions.readBigUInt64LE(batAt + 16)), batBytes, 'the block allocation table');
  let endByte = 0;
  for (let at = 0; at + 8 <= bat.length; at += 8) {
    const entry = bat.readBigUInt64LE(at);
    // The place counts in MiB, from bit 20.
    if (present.has(entry & 7n)) endByte = Math.max(endByte, Number(entry >> 20n) * 2 ** 20 + blockBytes);
  }
  return {
    format: 'vhdx',
    differencing: (parameters.readUInt32LE(4) & hasParent) !== 0,
    sectorBytes: item(logicalSectorSize, 'the logical sector size').readUInt32LE(0),
    sizeBytes: Number(item(virtualDiskSize, 'the size of the disk').readBigUInt64LE(0)),
    logToReplay: !header.subarray(48, 64).equals(noLog),
    endByte,
  };
}

const noLog = Buffer.alloc(16);

/** Each is written while the other one is left alone: of the whole ones, that with the higher number counts (2.2.2). */
function currentHeader(both: readonly Buffer[]): Buffer | undefined {
  const [current] = both
    .filter((header) => isWhole(header, 'head'))
    .sort((a, b) => (a.readBigUInt64LE(8) < b.readBigUInt64LE(8) ? 1 : -1));
  return current;
}

/** Its CRC-32C is that of its bytes, with the four bytes of the sum itself as zeros (2.2.2, 2.2.3.1). */
function isWhole(bytes: Buffer, signature: string): boolean {
  if (bytes.toString('latin1', 0, 4) !== signature) return false;
  return crc32c(Buffer.from(bytes).fill(0, 4, 8)) === bytes.readUInt32LE(4);
}

/** Place of the entry that begins with this GUID (as its bytes are in the file). */
function findEntry(
  table: Buffer,
  countAt: number,
  firstAt: number,
  guid: string,
  shortCount = false,
): number | null {
  const count = shortCount ? table.readUInt16LE(countAt) : table.readUInt32LE(countAt);
  for (
    let at = firstAt;
    at < firstAt + count * entryBytes && at + entryBytes <= table.length;
    at += entryBytes
  )
    if (table.toString('hex', at, at + 16) === guid) return at;
  return null;
}
