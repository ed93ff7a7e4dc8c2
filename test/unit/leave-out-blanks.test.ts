import { expect, test } from 'vitest';
import {
  type ElfSegment,
  onlyRead,
  readSegments,
  segmentBytes,
  segmentTypes,
  writeSegments,
} from '#scripts/runtime/elf-segments.ts';
import { leaveOutBlanks } from '#scripts/runtime/leave-out-blanks.ts';

const page = 4096;
const readWrite = 6;

test('what is in memory stays the same, and long runs of zeros are not in the file', () => {
  const executable = executableWith([
    { flags: onlyRead, pages: ['data', ...blank(100), 'data', ...blank(3), 'data', ...blank(70)] },
    { flags: readWrite, pages: ['data', ...blank(100), 'data'], more: 5 * page },
    { flags: onlyRead, pages: blank(80) },
    { flags: onlyRead, pages: ['data'] },
  ]);
  const shorter = leaveOutBlanks(executable);
  expect(executable.length - shorter.length).toBe((100 + 70 + 80) * page);
  expect(memoryOf(shorter)).toEqual(memoryOf(executable));
  expect(leaveOutBlanks(shorter).equals(shorter)).toBe(true);
});

test('segments begin where their offset and their address agree within a page', () => {
  const shorter = leaveOutBlanks(
    executableWith([{ flags: onlyRead, pages: ['data', ...blank(64), 'data', ...blank(64), 'data'] }]),
  );
  const loads = readSegments(shorter).segments.filter(({ type }) => type === segmentTypes.load);
  expect(loads.map(({ offset, address }) => (address - offset) % page)).toEqual(loads.map(() => 0));
  const sorted = loads.toSorted((a, b) => a.address - b.address);
  for (const [index, { address, memorySize }] of sorted.entries())
    expect(address + memorySize).toBeLessThanOrEqual(sorted[index + 1]?.address ?? Number.POSITIVE_INFINITY);
});

test('an executable without long runs of zeros is left as it is', () => {
  const executable = executableWith([{ flags: onlyRead, pages: ['data', ...blank(63), 'data'] }]);
  expect(leaveOutBlanks(executable)).toBe(executable);
});

test('a table that cannot grow and a file that is no executable are refused', () => {
  const parts = [{ flags: onlyRead, pages: ['data', ...blank(64), 'data', ...blank(64), 'data'] }] as const;
  const full = executableWith(parts, 0);
  expect(() => leaveOutBlanks(full)).toThrow('no room for more segments');
  expect(() => leaveOutBlanks(Buffer.alloc(page))).toThrow('no 64-bit little-endian ELF file');
});

type Page = 'data' | 'zeros';
const blank = (count: number): Page[] => Array.from({ length: count }, () => 'zeros');

interface Part {
  readonly flags: number;
  readonly pages: readonly Page[];
  /** Memory that the file does not hold, bytes. */
  readonly more?: number;
}

/** ELF header, the parts, and the table in a segment of its own with room for `spare` more headers. */
function executableWith(parts: readonly Part[], spare = 8): Buffer {
  const header = Buffer.alloc(page);
  Buffer.from('7f454c460201', 'hex').copy(header);
  const bodies: Buffer[] = [header];
  const loads: ElfSegment[] = [];
  let offset = page;
  let address = 0x400000;
  const load = (flags: number, bytes: Buffer, more = 0): ElfSegment => {
    const sizes = { fileSize: bytes.length, memorySize: bytes.length + more, align: page };
    const segment = { type: segmentTypes.load, flags, offset, address, physicalAddress: address, ...sizes };
    bodies.push(bytes);
    offset += Math.ceil(bytes.length / page) * page;
    address += Math.ceil((bytes.length + more) / page + 1) * page;
    return segment;
  };
  for (const { flags, pages, more } of parts) {
    const bytes = pages.map((kind, index) => Buffer.alloc(page, kind === 'zeros' ? 0 : (index % 255) + 1));
    loads.push(load(flags, Buffer.concat(bytes), more));
  }
  const tableOffset = offset;
  const count = loads.length + 2;
  const table = load(onlyRead, Buffer.alloc((count + spare) * segmentBytes));
  const tableSize = count * segmentBytes;
  const itself = { ...table, type: segmentTypes.programHeaders, fileSize: tableSize, memorySize: tableSize };
  const file = Buffer.concat(bodies);
  writeSegments(file, tableOffset, [itself, ...loads, table]);
  return file;
}

/** Bytes by address, as a kernel maps them; of the table, which differs, where it is. */
function memoryOf(file: Buffer): Map<number, string> {
  const { segments, tableOffset } = readSegments(file);
  const memory = new Map<number, string>();
  for (const { type, offset, address, fileSize, memorySize } of segments) {
    if (type !== segmentTypes.load) continue;
    const bytes = Buffer.alloc(memorySize);
    file.copy(bytes, 0, offset, offset + fileSize);
    if (offset === tableOffset) bytes.fill(0);
    for (let at = 0; at < memorySize; at += page)
      memory.set(address + at, bytes.subarray(at, at + page).toString('base64'));
  }
  return memory;
}
