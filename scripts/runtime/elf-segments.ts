import { RekindleError } from '#base/errors.ts';

/** Program headers of a 64-bit little-endian ELF file ("ELF-64 Object File Format", version 1.5): bytes <-> values. */

export interface ElfSegment {
  /** PT_LOAD, PT_PHDR … */
  readonly type: number;
  readonly flags: number;
  /** In the file; bytes. */
  readonly offset: number;
  readonly address: number;
  readonly physicalAddress: number;
  readonly fileSize: number;
  /** What is more than `fileSize` is zeros that the file does not hold. */
  readonly memorySize: number;
  readonly align: number;
}

export const segmentTypes = { load: 1, programHeaders: 6 } as const;
/** Flags of a segment that is only read. */
export const onlyRead = 4;
export const segmentBytes = 56;

const magic = Buffer.from('7f454c460201', 'hex');
const tableOffsetAt = 32;
const sectionTableOffsetAt = 40;
const segmentCountAt = 56;
const sectionCountAt = 60;

/** @throws RekindleError `unexpected` */
export function readSegments(file: Buffer): {
  readonly tableOffset: number;
  readonly segments: ElfSegment[];
} {
  if (!file.subarray(0, magic.length).equals(magic))
    throw new RekindleError('unexpected', 'reading an executable: it is no 64-bit little-endian ELF file');
  const tableOffset = number(file, tableOffsetAt);
  const segments = Array.from({ length: file.readUInt16LE(segmentCountAt) }, (_, index): ElfSegment => {
    const at = tableOffset + index * segmentBytes;
    const [offset = 0, address = 0, physicalAddress = 0, fileSize = 0, memorySize = 0, align = 0] = [
      8, 16, 24, 32, 40, 48,
    ].map((field) => number(file, at + field));
    const [type, flags] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)];
    return { type, flags, offset, address, physicalAddress, fileSize, memorySize, align };
  });
  return { tableOffset, segments };
}

/** Writes another table into the file. It has no section headers any more: only linkers and debuggers read those. */
export function writeSegments(file: Buffer, tableOffset: number, segments: readonly ElfSegment[]): void {
  file.writeBigUInt64LE(BigInt(tableOffset), tableOffsetAt);
  file.writeUInt16LE(segments.length, segmentCountAt);
  file.fill(0, sectionTableOffsetAt, sectionTableOffsetAt + 8);
  // How many there are, and which of them holds their names.
  file.fill(0, sectionCountAt, sectionCountAt + 4);
  for (const [index, segment] of segments.entries()) {
    const at = tableOffset + index * segmentBytes;
    file.writeUInt32LE(segment.type, at);
    file.writeUInt32LE(segment.flags, at + 4);
    const { offset, address, physicalAddress, fileSize, memorySize, align } = segment;
    for (const [field, value] of [offset, address, physicalAddress, fileSize, memorySize, align].entries())
      file.writeBigUInt64LE(BigInt(value), at + 8 + field * 8);
  }
}

const number = (file: Buffer, at: number): number => Number(file.readBigUInt64LE(at));
