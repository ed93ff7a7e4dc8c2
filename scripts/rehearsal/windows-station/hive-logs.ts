import { baseBlockBytes, baseBlockChecksum, fileTypes } from '#runtime/hooks/windows/hive/base-block.ts';
import { marvin32 } from '#runtime/hooks/windows/hive/marvin32.ts';

/** A hive as a running Windows leaves it on the disk: `before`, with the way to `after` in its logs. */
export interface DirtyHive {
  readonly primary: Buffer;
  readonly log1: Buffer;
  readonly log2: Buffer;
}

const pageBytes = 4096;

/** As Windows up to 8 writes it: one log with everything that the interrupted write was to change. */
export function dirtyWithOldLog(before: Buffer, after: Buffer): DirtyHive {
  const sequence = before.readUInt32LE(4);
  const primary = withSequences(before, sequence + 1, sequence);
  const hiveBins = after.subarray(baseBlockBytes, baseBlockBytes + after.readUInt32LE(40));
  const pages = changedPages(before, after);
  const vector = Buffer.alloc(Math.ceil((4 + hiveBins.length / 512 / 8) / 512) * 512);
  vector.write('DIRT', 0, 'latin1');
  for (const page of pages) vector.fill(0xff, 4 + page / pageBytes, 5 + page / pageBytes);
  const log1 = Buffer.concat([
    logHead(after, fileTypes.oldLog, sequence + 1),
    vector,
    ...pages.map((page) => hiveBins.subarray(page, page + pageBytes)),
  ]);
  return { primary, log1, log2: Buffer.alloc(0) };
}

/** As Windows 8.1 and later: `steps` are the hive after each write; the last ones are in the second log. */
export function dirtyWithNewLogs(before: Buffer, steps: readonly Buffer[], inFirstLog = 1): DirtyHive {
  const sequence = before.readUInt32LE(4);
  const entries: Buffer[] = [];
  let from = before;
  for (const [index, to] of steps.entries()) {
    entries.push(logEntry(from, to, sequence + 1 + index));
    from = to;
  }
  const log = (first: number, list: readonly Buffer[]): Buffer =>
    list.length === 0
      ? Buffer.alloc(0)
      : Buffer.concat([logHead(before, fileTypes.newLog, sequence + 1 + first), ...list]);
  return {
    primary: withSequences(before, sequence + 1, sequence),
    log1: log(0, entries.slice(0, inFirstLog)),
    log2: log(inFirstLog, entries.slice(inFirstLog)),
  };
}

function logEntry(from: Buffer, to: Buffer, sequence: number): Buffer {
  const hiveBins = to.subarray(baseBlockBytes, baseBlockBytes + to.readUInt32LE(40));
  const pages = changedPages(from, to);
  const references = Buffer.alloc(pages.length * 8);
  for (const [index, page] of pages.entries()) {
    references.writeUInt32LE(page, index * 8);
    references.writeUInt32LE(pageBytes, index * 8 + 4);
  }
  const content = Buffer.concat([
    references,
    ...pages.map((page) => hiveBins.subarray(page, page + pageBytes)),
  ]);
  const entry = Buffer.alloc(Math.ceil((40 + content.length) / 512) * 512);
  entry.write('HvLE', 0, 'latin1');
  entry.writeUInt32LE(entry.length, 4);
  entry.writeUInt32LE(sequence, 12);
  entry.writeUInt32LE(hiveBins.length, 16);
  entry.writeUInt32LE(pages.length, 20);
  content.copy(entry, 40);
  entry.writeBigUInt64LE(marvin32(entry.subarray(40)), 24);
  entry.writeBigUInt64LE(marvin32(entry.subarray(0, 32)), 32);
  return entry;
}

/** Offsets of the pages of the hive bins that are new or other. */
function changedPages(before: Buffer, after: Buffer): number[] {
  const pages: number[] = [];
  for (let page = 0; page < after.readUInt32LE(40); page += pageBytes) {
    const at = baseBlockBytes + page;
    if (!before.subarray(at, at + pageBytes).equals(after.subarray(at, at + pageBytes))) pages.push(page);
  }
  return pages;
}

function withSequences(hive: Buffer, primary: number, secondary: number): Buffer {
  const bytes = Buffer.from(hive);
  bytes.writeUInt32LE(primary, 4);
  bytes.writeUInt32LE(secondary, 8);
  bytes.writeUInt32LE(baseBlockChecksum(bytes), 508);
  return bytes;
}

function logHead(hive: Buffer, fileType: number, sequence: number): Buffer {
  const head = withSequences(hive.subarray(0, 512), sequence, sequence);
  head.writeUInt32LE(fileType, 28);
  head.writeUInt32LE(baseBlockChecksum(head), 508);
  return head;
}
