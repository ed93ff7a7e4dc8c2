import fs from 'node:fs';

/**
 * Log of qemu's blklogwrites, in the format of Linux' dm-log-writes: what reached a disk, in order, and where it
 * was flushed. From it the disk is made again as a power cut would have left it.
 *
 *     0  0x6a736677736872, version 1, entries (u64 each), sector size (u32)
 *     then for each entry one sector: first sector, sectors, flags, bytes (u64 each), and its data
 */
export interface LoggedWrite {
  readonly startByte: number;
  readonly sizeBytes: number;
  /** Where its data are in the log; null: zeros (a discard). */
  readonly dataAt: number | null;
}

export type LogEntry = { readonly kind: 'flush' } | ({ readonly kind: 'write' } & LoggedWrite);

const magic = 0x6a736677736872n;
const flags = { flush: 1n, fua: 2n, discard: 4n };

export function countLogEntries(logFile: string): number {
  const fd = fs.openSync(logFile, 'r');
  try {
    return Number(readAt(fd, 0, 28).readBigUInt64LE(16));
  } finally {
    fs.closeSync(fd);
  }
}

/** A write with FUA counts as a write and a flush of itself; qemu's FUSE export sends none. */
export function readWriteLog(logFile: string): LogEntry[] {
  const fd = fs.openSync(logFile, 'r');
  try {
    const header = readAt(fd, 0, 28);
    if (header.readBigUInt64LE(0) !== magic) throw new Error(`${logFile} is no write log`);
    const [count, sector] = [Number(header.readBigUInt64LE(16)), header.readUInt32LE(24)];
    const entries: LogEntry[] = [];
    for (let at = sector, number = 0; number < count; number++) {
      const [first = 0n, sectors = 0n, flag = 0n] = [0, 8, 16].map((offset) =>
        readAt(fd, at + offset, 8).readBigUInt64LE(0),
      );
      at += sector;
      const sizeBytes = Number(sectors) * sector;
      const isDiscard = (flag & flags.discard) !== 0n;
      if ((flag & flags.fua) !== 0n) throw new Error('a write with FUA in the log, which nothing here makes');
      if (sizeBytes > 0)
        entries.push({
          kind: 'write',
          startByte: Number(first) * sector,
          sizeBytes,
          dataAt: isDiscard ? null : at,
        });
      if ((flag & flags.flush) !== 0n) entries.push({ kind: 'flush' });
      if (!isDiscard) at += sizeBytes;
    }
    return entries;
  } finally {
    fs.closeSync(fd);
  }
}

export interface PowerCut {
  /** Entries that had happened. */
  readonly after: number;
  /** Whether a write since the last flush survives, and how many bytes of it; whole sectors. */
  survives(write: LoggedWrite, isLast: boolean): number;
}

/**
 * Makes `diskFile` what the disk would hold after the cut: everything up to the last flush, and of the writes since
 * what survives, in their order.
 */
export function makeCutDisk(
  base: string,
  logFile: string,
  entries: readonly LogEntry[],
  cut: PowerCut,
  diskFile: string,
): void {
  fs.copyFileSync(base, diskFile);
  const log = fs.openSync(logFile, 'r');
  const disk = fs.openSync(diskFile, 'r+');
  const happened = entries.slice(0, cut.after);
  const flushed = happened.findLastIndex(({ kind }) => kind === 'flush');
  try {
    for (const [number, entry] of happened.entries()) {
      if (entry.kind === 'flush') continue;
      const bytes = number < flushed ? entry.sizeBytes : cut.survives(entry, number === happened.length - 1);
      if (bytes === 0) continue;
      const data = entry.dataAt === null ? Buffer.alloc(bytes) : readAt(log, entry.dataAt, bytes);
      fs.writeSync(disk, data, 0, bytes, entry.startByte);
    }
  } finally {
    fs.closeSync(log);
    fs.closeSync(disk);
  }
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (fs.readSync(fd, bytes, 0, length, offset) !== length)
    throw new Error(`the write log ends before byte ${offset + length}`);
  return bytes;
}
