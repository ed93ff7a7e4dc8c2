import { errorChain } from '#base/errors.ts';
import { type DiskIndex, diskBytes } from '#images/format/disk-index.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import { type RelocatedGpt, relocateBackupGpt } from '#images/format/partition-table/relocate-backup-gpt.ts';
import { backupStart, bytesNeeded } from './disk-fit.ts';
import { divideChunks } from './divide-chunks.ts';
import { findSurvivors, isOnDisk } from './find-survivors.ts';
import { noteBytes, noteOffset } from './interrupted-restore.ts';
import { planVolumes } from './plan-volumes.ts';
import { rangeOf, restoredRanges } from './planned-ranges.ts';
import type { RestoreDecision, RestoreRefused, TargetDisk } from './restore-plan.ts';
import { byRule, type RestoreScope } from './restore-scope.ts';

/**
 * Decides what a restore writes, what it leaves alone, and whether it may begin at all. Pure.
 *
 * By rule, data volumes stay where their disk survived; everything else of the image is restored, gaps between
 * partitions included (boot loaders live there). A larger disk gets its backup GPT at its own end; a smaller
 * one fits when every partition and every chunk that is not zero does. Chosen volumes go into the partitions
 * that are there, and only when those are the image's.
 */
export function planRestore(
  disk: ImageDisk,
  index: DiskIndex,
  target: TargetDisk,
  scope: RestoreScope = byRule,
): RestoreDecision {
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
  return scope.kind === 'volumes'
    ? planVolumes(disk, index, target, scope)
    : planWholeDisk(disk, index, target, scope);
}

function planWholeDisk(
  disk: ImageDisk,
  index: DiskIndex,
  target: TargetDisk,
  scope: Exclude<RestoreScope, { kind: 'volumes' }>,
): RestoreDecision {
  const neededBytes = bytesNeeded(disk, index);
  if (neededBytes > target.sizeBytes) {
    const shortfallBytes = neededBytes - target.sizeBytes;
    const sentence = `The disk is too small by ${shortfallBytes} bytes: the image uses ${neededBytes}, the disk has ${target.sizeBytes}.`;
    return {
      ...refuse('too-small', sentence, 'Use a disk at least as large as the original.'),
      shortfallBytes,
    };
  }
  const survivors = findSurvivors(disk, target, scope);
  if (survivors.kind === 'data-lost') return survivors;
  if (survivors.kind === 'contradiction') {
    return refuse(
      'ambiguous-layout',
      survivors.sentence,
      'Find out which disk this is before anything on it is written. Where its data is not needed, restore all volumes, data volumes too, or put a new disk in its place.',
    );
  }
  const relocation = relocate(disk, target);
  if (relocation.kind === 'refused') return relocation;

  const kept = survivors.volumes.map((volume) => rangeOf(volume, survivors.reason));
  const zones = divideChunks(disk, index, target.sizeBytes, relocation.gpt, kept);
  if ('kind' in zones) return zones;
  if (kept.length > 0 && !zones.heldBack.heads.every(({ hasNote }) => hasNote)) {
    return refuse(
      'unusable-image',
      `Its first partition begins so near to the start of the disk that the note which protects the data volumes of an interrupted restore has no room at bytes ${noteOffset} to ${noteOffset + noteBytes - 1}.`,
      'Restore onto a new disk, and bring the data over from this one.',
    );
  }
  const dataReason =
    scope.kind === 'all'
      ? 'a data volume, restored as asked'
      : survivors.by === null
        ? 'a data volume, and the disk is new'
        : 'a data volume that is lost';
  const overwritten = disk.volumes.filter(
    (volume) => scope.kind === 'all' && volume.role === 'data' && isOnDisk(volume, disk, target),
  );
  return {
    kind: 'restore',
    diskNumber: disk.number,
    target: { sizeBytes: target.sizeBytes, logicalSectorBytes: target.logicalSectorBytes },
    index,
    extent: 'disk',
    survivedBy: survivors.by,
    restored: restoredRanges(disk, survivors.volumes, target.sizeBytes, ({ role }) =>
      role === 'system' ? 'a system volume' : dataReason,
    ),
    kept,
    overwrittenData: overwritten.map((volume) => rangeOf(volume, dataReason)),
    warnings: [...survivors.warnings, ...(relocation.gpt?.madeFromBackup ? [madeFromBackup] : [])],
    ...zones,
    relocated: relocation.gpt,
    backupStartByte: backupStart(disk),
  };
}

export function refuse(reason: RestoreRefused['reason'], sentence: string, next: string): RestoreRefused {
  return { kind: 'refused', reason, sentence, next };
}

const madeFromBackup =
  'The first copy of the partition table (GPT) is damaged in the image; it is made anew from the second one.';

function relocate(
  disk: ImageDisk,
  target: TargetDisk,
): { kind: 'fits'; gpt: RelocatedGpt | null } | RestoreRefused {
  if (disk.partitionTable.kind !== 'gpt' || disk.sizeBytes === target.sizeBytes)
    return { kind: 'fits', gpt: null };
  const { primary, backup } = disk.partitionTable;
  const kept = { primary: Buffer.from(primary, 'base64'), backup: Buffer.from(backup, 'base64') };
  try {
    return { kind: 'fits', gpt: relocateBackupGpt(kept, disk.logicalSectorBytes, target.sizeBytes) };
  } catch (error) {
    return refuse(
      'unusable-image',
      errorChain(error).join(': '),
      'Use a disk of exactly the original size, or another image.',
    );
  }
}
