import { baseBlockBytes, parseBaseBlock, sealBaseBlock } from './base-block.ts';
import { hiveDefect } from './hive-bins.ts';
import { type NewLog, parseNewLog } from './new-log.ts';
import { type DirtyPage, type OldLog, parseOldLog } from './old-log.ts';

/** A hive as it lies on a volume. A log that is not there is an empty one. */
export interface HiveFiles {
  readonly primary: Buffer;
  readonly log1: Buffer;
  readonly log2: Buffer;
}

/** What has to be done before a hive is read or changed. `why` and `remark` are clauses for a sentence. */
export type RecoveredHive =
  | { readonly kind: 'clean'; readonly hive: Buffer }
  | {
      readonly kind: 'replayed';
      readonly hive: Buffer;
      readonly writes: number;
      readonly remark: string | null;
    }
  | { readonly kind: 'refused'; readonly why: string };

/** Flags of a base block, since Windows 10; a reserved field before. */
const flagsAt = 144;

/**
 * Finishes what Windows had only written to the hive's logs, as Windows does when it loads the hive. libhivex and all
 * other tools of Linux read past it: an image of a running station would lose up to an hour of its registry.
 * Pure; `files` are not changed.
 */
export function recoverHive(files: HiveFiles): RecoveredHive {
  const base = parseBaseBlock(files.primary);
  if (base === null) return refused('it does not begin like a registry hive');
  if (base.checksumRight && base.primarySequence === base.secondarySequence) {
    const defect = hiveDefect(files.primary);
    return defect === null ? { kind: 'clean', hive: files.primary } : refused(defect);
  }
  const newLogs = [parseNewLog(files.log1), parseNewLog(files.log2)].filter((log) => log !== null);
  if (newLogs.length > 0) return replayNewLogs(files.primary, newLogs);
  const oldLogs = [parseOldLog(files.log1), parseOldLog(files.log2)].filter((log) => log !== null);
  if (oldLogs.length > 0) return replayOldLog(files.primary, oldLogs);
  return refused('Windows had not finished writing it, and neither of its logs can be used');
}

/** The log that belongs to the interrupted write has its time; where the head is damaged, the first hive bin has it. */
function replayOldLog(primary: Buffer, logs: readonly OldLog[]): RecoveredHive {
  const base = parseBaseBlock(primary);
  const time = base?.checksumRight === true ? base.lastWritten : firstBinTime(primary);
  const [first] = logs;
  const log = logs.find((each) => each.base.lastWritten === time);
  if (log === undefined || first === undefined)
    return refused('Windows had not finished writing it, and its logs are of another moment');
  const hive = sizedHive(primary, log.base.hiveBinsBytes);
  if (base?.checksumRight !== true) log.baseSector.copy(hive);
  applyPages(hive, log.pages);
  return replayed(hive, log.base.primarySequence, log.base.hiveBinsBytes, 1, null);
}

function firstBinTime(primary: Buffer): bigint | null {
  return primary.length < baseBlockBytes + 32 ? null : primary.readBigUInt64LE(baseBlockBytes + 20);
}

/** Entries are spread over both logs; the earlier ones come first, and a gap in their numbers ends them. */
function replayNewLogs(primary: Buffer, logs: readonly NewLog[]): RecoveredHive {
  const base = parseBaseBlock(primary);
  const checksumRight = base?.checksumRight === true;
  const inOrder = logs
    .filter(({ entries }) => entries.length > 0)
    .toSorted((a, b) => a.base.primarySequence - b.base.primarySequence);
  // A damaged head does not say from which write on the file is behind: only the latest log is known to fit.
  const used = checksumRight ? inOrder : inOrder.slice(-1);
  let hive: Buffer = Buffer.from(primary);
  const [latest] = used;
  if (!checksumRight && latest !== undefined) latest.baseSector.copy(hive);

  let last: { readonly sequence: number; readonly hiveBinsBytes: number } | null = null;
  let writes = 0;
  let remark: string | null = null;
  for (const log of used) {
    const [first] = log.entries;
    if (first === undefined) continue;
    // An older log is one whose entries the file has already.
    if (last === null && checksumRight && first.sequence < base.secondarySequence) continue;
    if (last !== null && first.sequence !== last.sequence + 1) {
      remark = 'the newer log does not continue the older one and was left out';
      break;
    }
    for (const entry of log.entries) {
      hive = sizedHive(hive, entry.hiveBinsBytes);
      applyPages(hive, entry.pages);
      hive.writeUInt32LE(((hive.readUInt32LE(flagsAt) & ~1) | entry.flag) >>> 0, flagsAt);
      last = entry;
      writes++;
    }
    if (log.endsBecause !== null) remark = `${log.endsBecause}, which Windows leaves out too`;
  }
  if (last === null)
    return refused('Windows had not finished writing it, and its logs hold nothing that continues it');
  return replayed(hive, last.sequence, last.hiveBinsBytes, writes, remark);
}

function replayed(
  hive: Buffer,
  sequence: number,
  hiveBinsBytes: number,
  writes: number,
  remark: string | null,
): RecoveredHive {
  sealBaseBlock(hive, { sequence, hiveBinsBytes });
  const defect = hiveDefect(hive);
  if (defect !== null) return refused(`even with its logs it is no whole hive: ${defect}`);
  return { kind: 'replayed', hive, writes, remark };
}

/** A copy with at least so many bytes of hive bins; what a log adds is filled by it. */
function sizedHive(hive: Buffer, hiveBinsBytes: number): Buffer {
  const bytes = Math.max(hive.length, baseBlockBytes + hiveBinsBytes);
  return Buffer.concat([hive], bytes);
}

function applyPages(hive: Buffer, pages: readonly DirtyPage[]): void {
  for (const { offset, bytes } of pages) bytes.copy(hive, baseBlockBytes + offset);
}

const refused = (why: string): RecoveredHive => ({ kind: 'refused', why });
