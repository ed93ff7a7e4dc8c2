import type { ByteRange } from '../chunk-grid.ts';
import type { DiskBytes } from './disk-bytes.ts';
import { type GptCopy, parseGptCopy } from './gpt.ts';
import { parseMbr } from './mbr.ts';

/** A partition as both kinds of table describe it. */
export interface Partition extends ByteRange {
  /** Slot, from 1. */
  readonly number: number;
  /** GPT partition type GUID, or MBR type as two hex digits. */
  readonly partitionType: string;
  readonly partitionGuid?: string;
  readonly name: string;
}

export type PartitionTable = {
  /** What is odd about it, a sentence each: a damaged copy, a hybrid MBR. */
  readonly problems: readonly string[];
} & (
  | {
      readonly kind: 'gpt';
      readonly diskGuid: string;
      readonly partitions: readonly Partition[];
      /** LBA 0 to the end of the primary entries, byte for byte. */
      readonly primary: Uint8Array;
      /** Backup entries to the last byte of the disk, byte for byte; empty when it is damaged or elsewhere. */
      readonly backup: Uint8Array;
    }
  | {
      readonly kind: 'mbr';
      readonly diskSignature: number;
      readonly partitions: readonly Partition[];
      readonly primary: Uint8Array;
    }
  | {
      readonly kind: 'none';
      readonly partitions: readonly [];
      readonly primary: Uint8Array;
      readonly reason: string;
    }
);

/** The table that firmware and kernel would use: GPT's primary, else its backup, else the MBR. */
export function parsePartitionTable(disk: DiskBytes): PartitionTable {
  const { sectorBytes } = disk;
  if (disk.sizeBytes < 2 * sectorBytes) {
    return {
      kind: 'none',
      partitions: [],
      primary: new Uint8Array(),
      reason: `the disk has only ${disk.sizeBytes} bytes`,
      problems: [`the disk has only ${disk.sizeBytes} bytes`],
    };
  }
  const lastLba = Math.floor(disk.sizeBytes / sectorBytes) - 1;
  const primary = parseGptCopy(disk, 1);
  const backup = parseGptCopy(
    disk,
    primary.valid && primary.header.alternateLba <= lastLba ? primary.header.alternateLba : lastLba,
  );
  const mbr = parseMbr(disk);
  const copy = primary.valid ? primary : backup;
  // A GPT without its protective MBR is what is left of an older use of the disk, unless LBA 0 is damaged too.
  if (copy.valid && (!mbr.valid || mbr.protective)) {
    const hybrid =
      mbr.valid && mbr.hybrid ? ['LBA 0 is a hybrid MBR: its entries are kept, the GPT counts'] : [];
    return gptTable(disk, copy, { primary, backup, problems: hybrid });
  }
  if (mbr.valid && !mbr.protective && mbr.entries.length > 0) {
    return {
      kind: 'mbr',
      diskSignature: mbr.diskSignature,
      partitions: mbr.entries.map((entry) => ({
        number: entry.number,
        startByte: entry.firstLba * sectorBytes,
        sizeBytes: entry.sectors * sectorBytes,
        partitionType: entry.type.toString(16).padStart(2, '0').toUpperCase(),
        name: '',
      })),
      primary: disk.read(0, sectorBytes),
      problems: copy.valid ? ['there is a GPT of an older use of the disk; the MBR counts'] : [],
    };
  }
  const reason = [mbr.valid ? 'LBA 0 lists no partition' : mbr.reason, primary.valid ? '' : primary.reason]
    .filter(Boolean)
    .join('; ');
  const problems = [`no partition table is readable, and all of the disk is taken: ${reason}`];
  return { kind: 'none', partitions: [], primary: new Uint8Array(), reason, problems };
}

function gptTable(
  disk: DiskBytes,
  copy: GptCopy & { valid: true },
  { primary, backup, problems }: { primary: GptCopy; backup: GptCopy; problems: readonly string[] },
): PartitionTable {
  const { sectorBytes } = disk;
  const { header, entries } = copy;
  const arrayEnd = (at: number): number =>
    at * sectorBytes + Math.ceil(copy.entryArray.length / sectorBytes) * sectorBytes;
  const primaryEnd = primary.valid
    ? arrayEnd(primary.header.entriesLba)
    : header.firstUsableLba * sectorBytes;
  const backupAtEnd = backup.valid && (backup.header.myLba + 1) * sectorBytes === disk.sizeBytes;
  const backupStart = backupAtEnd ? backup.header.entriesLba * sectorBytes : disk.sizeBytes;
  return {
    kind: 'gpt',
    diskGuid: header.diskGuid,
    partitions: entries.map((entry) => ({
      number: entry.number,
      startByte: entry.firstLba * sectorBytes,
      sizeBytes: (entry.lastLba - entry.firstLba + 1) * sectorBytes,
      partitionType: entry.typeGuid,
      partitionGuid: entry.partitionGuid,
      name: entry.name,
    })),
    primary: disk.read(0, Math.min(primaryEnd, disk.sizeBytes)),
    backup: disk.read(backupStart, disk.sizeBytes - backupStart),
    problems: [
      ...problems,
      ...[primary, backup].flatMap((each) => (each.valid ? [] : [each.reason])),
      ...(backup.valid && !backupAtEnd ? ['the backup GPT does not end where the disk ends'] : []),
    ],
  };
}
