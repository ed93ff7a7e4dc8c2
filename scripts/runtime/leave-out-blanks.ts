import { RekindleError } from '#base/errors.ts';
import {
  type ElfSegment,
  onlyRead,
  readSegments,
  segmentBytes,
  segmentTypes,
  writeSegments,
} from './elf-segments.ts';

/**
 * What was made blank in Node (small-icu.ts, unused-parts.ts) is 36 of its 118 MB. A station would unpack those zeros into
 * memory at every start: here they leave the file, and the kernel gives zeros where a segment has more memory than file.
 */

/** Segments begin where their offset and their address agree in this (ELF-64, "Program Header Table"; page of x86-64). */
const pageBytes = 4096;
/** Shorter runs are not worth a segment of their own. */
const shortestRun = 256 * 1024;

/** Bytes of the file, a multiple of pages. */
interface Blank {
  readonly start: number;
  readonly end: number;
}

/**
 * The same executable with its long runs of zeros in read-only segments left out. In memory it is what it was.
 * @throws RekindleError `unexpected`: no ELF file, or no room for the longer table of segments
 */
export function leaveOutBlanks(executable: Buffer): Buffer {
  const { tableOffset, segments } = readSegments(executable);
  const blanks = segments.flatMap((segment) => blanksOf(executable, segment));
  if (blanks.length === 0) return executable;
  const moved = (offset: number): number =>
    offset -
    blanks.reduce((sum, { start, end }) => sum + Math.min(Math.max(offset - start, 0), end - start), 0);
  const divided = segments.flatMap((segment) => divide(segment, blanks));
  const table = divided.map((segment): ElfSegment => {
    const offset = moved(segment.offset);
    if (segment.type !== segmentTypes.programHeaders) return { ...segment, offset };
    const size = divided.length * segmentBytes;
    return { ...segment, offset, fileSize: size, memorySize: size };
  });
  assertRoom(segments, tableOffset, divided.length);
  const parts: Buffer[] = [];
  let kept = 0;
  for (const { start, end } of blanks) {
    parts.push(executable.subarray(kept, start));
    kept = end;
  }
  const shorter = Buffer.concat([...parts, executable.subarray(kept)]);
  writeSegments(shorter, moved(tableOffset), table);
  return shorter;
}

function blanksOf(executable: Buffer, { type, flags, offset, fileSize }: ElfSegment): Blank[] {
  if (type !== segmentTypes.load || flags !== onlyRead) return [];
  const found: Blank[] = [];
  const end = offset + fileSize;
  for (let at = Math.ceil(offset / pageBytes) * pageBytes; at + pageBytes <= end; at += pageBytes) {
    const start = at;
    while (at + pageBytes <= end && isBlank(executable.subarray(at, at + pageBytes))) at += pageBytes;
    if (at - start >= shortestRun) found.push({ start, end: at });
  }
  return found;
}

const blankPage = Buffer.alloc(pageBytes);
const isBlank = (page: Buffer): boolean => page.equals(blankPage);

/** A segment for each part between blanks; the blank behind a part is memory that the file does not hold. */
function divide(segment: ElfSegment, blanks: readonly Blank[]): ElfSegment[] {
  if (segment.type !== segmentTypes.load) return [segment];
  const end = segment.offset + segment.fileSize;
  const inside = blanks.filter(({ start }) => start >= segment.offset && start < end);
  const starts = [segment.offset, ...inside.map((blank) => blank.end)];
  return starts.flatMap((start, index): ElfSegment[] => {
    const next = starts[index + 1];
    const fileEnd = inside[index]?.start ?? end;
    const memoryEnd = next ?? segment.offset + segment.memorySize;
    if (memoryEnd === start) return [];
    const by = start - segment.offset;
    return [
      {
        ...segment,
        offset: start,
        address: segment.address + by,
        physicalAddress: segment.physicalAddress + by,
        fileSize: fileEnd - start,
        memorySize: memoryEnd - start,
      },
    ];
  });
}

/** The injection of the program gives the table a segment of its own, with room for a few more. */
function assertRoom(segments: readonly ElfSegment[], tableOffset: number, count: number): void {
  const own = segments.find(({ type, offset }) => type === segmentTypes.load && offset === tableOffset);
  if (own !== undefined && count * segmentBytes <= own.fileSize) return;
  throw new RekindleError(
    'unexpected',
    'leaving the blank parts out of the runtime: no room for more segments',
  );
}
