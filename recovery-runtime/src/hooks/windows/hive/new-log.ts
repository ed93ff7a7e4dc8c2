import { type BaseBlock, baseSectorBytes, fileTypes, parseBaseBlock } from './base-block.ts';
import { marvin32 } from './marvin32.ts';
import type { DirtyPage } from './old-log.ts';

/** One write in a log of Windows 8.1 and later. */
export interface LogEntry {
  readonly sequence: number;
  readonly hiveBinsBytes: number;
  /** Bit 0 of the base block's flags after this write. */
  readonly flag: number;
  readonly pages: readonly DirtyPage[];
}

export interface NewLog {
  readonly base: BaseBlock;
  readonly baseSector: Buffer;
  /** From the first that counts, each followed by the next number; what is damaged ends them. */
  readonly entries: readonly LogEntry[];
  /** Why the entries end before the file does, as a clause; null: nothing more was written. */
  readonly endsBecause: string | null;
}

const entryHeaderBytes = 40;

/** Null: it is empty, damaged at its head, or of the older format. */
export function parseNewLog(log: Buffer): NewLog | null {
  const base = parseBaseBlock(log);
  if (base === null || base.fileType !== fileTypes.newLog || !base.checksumRight) return null;
  const entries: LogEntry[] = [];
  let expected = base.primarySequence;
  let endsBecause: string | null = null;
  for (let at = baseSectorBytes; at + entryHeaderBytes <= log.length; ) {
    if (log.toString('latin1', at, at + 4) !== 'HvLE') break;
    const size = log.readUInt32LE(at + 4);
    const read = parseEntry(log.subarray(at, at + size), size);
    if (typeof read === 'string') {
      endsBecause = read;
      break;
    }
    // Left over from before the log began anew.
    if (read.sequence !== expected) break;
    entries.push(read);
    expected = (expected + 1) >>> 0;
    at += size;
  }
  return { base, baseSector: log.subarray(0, baseSectorBytes), entries, endsBecause };
}

function parseEntry(entry: Buffer, size: number): LogEntry | string {
  if (size < entryHeaderBytes || size % 512 !== 0 || entry.length < size) return 'an entry is cut off';
  const wrong = 'an entry was not written to its end';
  if (entry.readBigUInt64LE(32) !== marvin32(entry.subarray(0, 32))) return wrong;
  if (entry.readBigUInt64LE(24) !== marvin32(entry.subarray(entryHeaderBytes))) return wrong;
  const hiveBinsBytes = entry.readUInt32LE(16);
  if (hiveBinsBytes % 4096 !== 0) return wrong;
  const count = entry.readUInt32LE(20);
  let from = entryHeaderBytes + count * 8;
  const pages: DirtyPage[] = [];
  for (let page = 0; page < count; page++) {
    const at = entryHeaderBytes + page * 8;
    if (at + 8 > size) return wrong;
    const [offset, bytes] = [entry.readUInt32LE(at), entry.readUInt32LE(at + 4)];
    if (from + bytes > size || offset + bytes > hiveBinsBytes) return wrong;
    pages.push({ offset, bytes: entry.subarray(from, from + bytes) });
    from += bytes;
  }
  return { sequence: entry.readUInt32LE(12), flag: entry.readUInt32LE(8) & 1, hiveBinsBytes, pages };
}
