import { errorChain } from '#base/errors.ts';
import { endOf, overlaps } from '#images/format/chunk-grid.ts';
import { zeroChunkId } from '#images/format/chunk-id.ts';
import { chunkAt, chunkCount, chunkNumberAt, type DiskIndex, diskBytes } from '#images/format/disk-index.ts';
import type { ImageDisk, Volume } from '#images/format/image-manifest.ts';
import { type RelocatedGpt, relocateBackupGpt } from '#images/format/partition-table/relocate-backup-gpt.ts';
import { findSurvivors } from './find-survivors.ts';
import { noteBytes, noteOffset } from './interrupted-restore.ts';
import type { PlannedRange, RestorePlan, RestoreRefused, TargetDisk } from './restore-plan.ts';

/**
 * Decides what a restore writes, what it leaves alone, and whether it may begin at all. Pure.
 *
 * Data volumes stay where their disk survived; everything else of the image is restored, gaps between
 * partitions included (boot loaders live there). A larger disk gets its backup GPT at its own end; a smaller
 * one fits when every partition and every chunk that is not zero does.
 */
export function planRestore(
  disk: ImageDisk,
  index: DiskIndex,
  target: TargetDisk,
): RestorePlan | RestoreRefused {
  const imageBytes = diskBytes(index);
  if (imageBytes !== disk.sizeBytes) {
    return refuse(
      'unusable-image',
      `The disk index describes ${imageBytes} bytes, the manifest a disk of ${disk.sizeBytes}.`,
      'Choose another image of the station.',
    );
  }
  if (disk.logicalSectorBytes !== target.logicalSectorBytes) {
    return refuse(
      'sector-size',
      `The image was taken from a disk with sectors of ${disk.logicalSectorBytes} bytes; this disk has sectors of ${target.logicalSectorBytes}.`,
      'Use a disk with the same logical sector size.',
    );
  }
  const neededBytes = bytesNeeded(disk, index);
  if (neededBytes > target.sizeBytes) {
    const shortfallBytes = neededBytes - target.sizeBytes;
    const sentence = `The disk is too small by ${shortfallBytes} bytes: the image uses ${neededBytes}, the disk has ${target.sizeBytes}.`;
    return {
      ...refuse('too-small', sentence, 'Use a disk at least as large as the original.'),
      shortfallBytes,
    };
  }
  const survivors = findSurvivors(disk, target);
  if (survivors.kind === 'contradiction') {
    return refuse(
      'ambiguous-layout',
      survivors.sentence,
      'Find out which disk this is before anything on it is written. Where its data is not needed, put a new disk in its place.',
    );
  }
  const relocation = relocate(disk, target);
  if (relocation.kind === 'refused') return relocation;

  const kept = survivors.volumes.map((volume) => ({
    ...rangeOf(volume),
    reason: 'a data volume on a disk that survived',
  }));
  const zones = divideChunks(disk, index, target.sizeBytes, relocation.gpt, kept);
  if ('kind' in zones) return zones;
  const restored = describeRestored(disk, survivors.volumes, target.sizeBytes);
  const plan: RestorePlan = {
    kind: 'restore',
    diskNumber: disk.number,
    target: { sizeBytes: target.sizeBytes, logicalSectorBytes: target.logicalSectorBytes },
    index,
    survivedBy: survivors.by,
    restored,
    kept,
    ...zones,
    relocated: relocation.gpt,
    backupStartByte: backupStart(disk),
  };
  if (kept.length > 0 && !hasRoomForNote(plan)) {
    return refuse(
      'unusable-image',
      `Its first partition begins so near to the start of the disk that the note which protects the data volumes of an interrupted restore has no room at bytes ${noteOffset} to ${noteOffset + noteBytes - 1}.`,
      'Restore onto a new disk, and bring the data over from this one.',
    );
  }
  return plan;
}

function refuse(reason: RestoreRefused['reason'], sentence: string, next: string): RestoreRefused {
  return { kind: 'refused', reason, sentence, next };
}

const tableBytes = (base64: string): number => Buffer.byteLength(base64, 'base64');

function backupStart(disk: ImageDisk): number | null {
  const length = tableBytes(disk.partitionTable.backup);
  return length === 0 ? null : disk.sizeBytes - length;
}

/** End of the last partition and of the last chunk that is not zero, and room for a backup GPT. */
function bytesNeeded(disk: ImageDisk, index: DiskIndex): number {
  const backupAt = backupStart(disk) ?? disk.sizeBytes;
  let used = Math.max(0, ...disk.volumes.map(endOf));
  for (let number = chunkCount(index) - 1; number >= 0; number--) {
    const chunk = chunkAt(index, number);
    if (endOf(chunk) <= used) break;
    // The backup GPT moves; the chunk that it lies in is not use of the disk.
    if (endOf(chunk) > backupAt) continue;
    if (chunk.id !== zeroChunkId(chunk.sizeBytes, index.digest)) used = endOf(chunk);
  }
  if (disk.partitionTable.kind !== 'gpt') return used;
  const sector = disk.logicalSectorBytes;
  const backupBytes = Math.max(tableBytes(disk.partitionTable.backup), sector + 128 * 128);
  return Math.ceil(used / sector) * sector + backupBytes;
}

function relocate(
  disk: ImageDisk,
  target: TargetDisk,
): { kind: 'fits'; gpt: RelocatedGpt | null } | RestoreRefused {
  if (disk.partitionTable.kind !== 'gpt' || disk.sizeBytes === target.sizeBytes)
    return { kind: 'fits', gpt: null };
  const primary = Buffer.from(disk.partitionTable.primary, 'base64');
  try {
    return { kind: 'fits', gpt: relocateBackupGpt(primary, disk.logicalSectorBytes, target.sizeBytes) };
  } catch (error) {
    return refuse(
      'unusable-image',
      errorChain(error).join(': '),
      'Use a disk of exactly the original size, or another image.',
    );
  }
}

/** Chunk numbers by who writes them: worker threads, or the last steps of the restore. */
function divideChunks(
  disk: ImageDisk,
  index: DiskIndex,
  targetBytes: number,
  gpt: RelocatedGpt | null,
  kept: readonly PlannedRange[],
): Pick<RestorePlan, 'chunks' | 'heldBack' | 'totalBytes'> | RestoreRefused {
  const headEnd = Math.max(tableBytes(disk.partitionTable.primary), noteOffset);
  const tailFrom = Math.min(
    backupStart(disk) ?? disk.sizeBytes,
    targetBytes,
    gpt?.backupStartByte ?? disk.sizeBytes,
  );
  const count = chunkCount(index);
  const chunks = new Uint32Array(count);
  const heldBack = { head: [] as number[], tail: [] as number[] };
  let used = 0;
  let totalBytes = 0;
  for (let number = 0; number < count; number++) {
    const chunk = chunkAt(index, number);
    if (chunk.startByte >= targetBytes) break;
    const touched = kept.find((range) => overlaps(range, chunk));
    if (touched !== undefined) {
      if (chunk.startByte >= touched.startByte && endOf(chunk) <= endOf(touched)) continue;
      return refuse(
        'unusable-image',
        `Chunk ${number} at bytes ${chunk.startByte} to ${endOf(chunk)} lies across the edge of ${touched.what}, which must stay untouched.`,
        'Restore onto a new disk, or use an image whose chunks are cut at partitions.',
      );
    }
    totalBytes += Math.min(endOf(chunk), targetBytes) - chunk.startByte;
    if (chunk.startByte < headEnd) heldBack.head.push(number);
    else if (endOf(chunk) > tailFrom) heldBack.tail.push(number);
    else chunks[used++] = number;
  }
  return { chunks: chunks.slice(0, used), heldBack, totalBytes };
}

function describeRestored(
  disk: ImageDisk,
  keptVolumes: readonly Volume[],
  targetBytes: number,
): PlannedRange[] {
  const ranges: PlannedRange[] = [];
  const gap = (from: number, to: number): void => {
    const end = Math.min(to, targetBytes);
    if (end <= from) return;
    ranges.push({
      kind: 'space',
      what:
        from === 0
          ? 'partition table and boot code'
          : to === disk.sizeBytes
            ? 'space behind the last partition'
            : 'space between partitions',
      reason: 'belongs to no data volume',
      startByte: from,
      sizeBytes: end - from,
    });
  };
  if (disk.volumes.length === 0) {
    const sizeBytes = Math.min(disk.sizeBytes, targetBytes);
    return [
      {
        kind: 'space',
        what: 'whole disk, without partitions',
        reason: 'belongs to no data volume',
        startByte: 0,
        sizeBytes,
      },
    ];
  }
  let at = 0;
  for (const volume of [...disk.volumes].sort((a, b) => a.startByte - b.startByte)) {
    gap(at, volume.startByte);
    if (!keptVolumes.includes(volume)) {
      const reason = volume.role === 'system' ? 'a system volume' : 'a data volume, and the disk is new';
      ranges.push({ ...rangeOf(volume), reason });
    }
    at = endOf(volume);
  }
  gap(at, disk.sizeBytes);
  return ranges;
}

function rangeOf(volume: Volume): Omit<PlannedRange, 'reason'> {
  const name = volume.name || volume.label;
  return {
    kind: 'volume',
    what: `partition ${volume.number}${name ? ` "${name}"` : ''}${volume.fileSystem ? ` (${volume.fileSystem})` : ''}`,
    startByte: volume.startByte,
    sizeBytes: volume.sizeBytes,
  };
}

/** Whether the note of an interrupted restore has room among the first blocks, outside every volume. */
export function hasRoomForNote(plan: RestorePlan): boolean {
  const [first] = plan.heldBack.head;
  const last = plan.heldBack.head.at(-1);
  if (first !== 0 || last === undefined) return false;
  const nextRange = plan.kept.some((range) => range.startByte < noteOffset + noteBytes);
  return !nextRange && chunkNumberAt(plan.index, noteOffset + noteBytes - 1) <= last;
}
