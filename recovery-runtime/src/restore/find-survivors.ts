import type { ByteRange } from '#images/format/chunk-grid.ts';
import type { ImageDisk, Volume } from '#images/format/image-manifest.ts';
import type { PartitionTable } from '#images/format/partition-table/partition-table.ts';
import { describeVolume } from './planned-ranges.ts';
import type { DataVolumesLost, RestorePlan, TargetDisk } from './restore-plan.ts';
import type { RestoreScope } from './restore-scope.ts';

/** Which data volumes are still on the disk and stay as they are. */
export type Survivors =
  | {
      readonly kind: 'found';
      readonly by: RestorePlan['survivedBy'];
      readonly volumes: readonly Volume[];
      /** Why they are kept, for the technician. */
      readonly reason: string;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'contradiction'; readonly sentence: string }
  | DataVolumesLost;

const survived = 'a data volume on a disk that survived';
const nothingKept = (by: RestorePlan['survivedBy'] = null): Survivors => found(by, []);

function found(
  by: RestorePlan['survivedBy'],
  volumes: readonly Volume[],
  reason = survived,
  warnings: readonly string[] = [],
): Survivors {
  return { kind: 'found', by, volumes, reason, warnings };
}

/**
 * A disk survived when it is the registered one, or when its readable table carries the image's data
 * partitions at the same place. A note of an interrupted restore decides before both: until that restore is
 * complete the table is gone, and a data volume may be half written. A data volume whose own restore was
 * interrupted has nothing left that could survive.
 */
export function findSurvivors(
  disk: ImageDisk,
  target: TargetDisk,
  scope: Exclude<RestoreScope, { kind: 'volumes' }>,
): Survivors {
  if (scope.kind === 'all') return nothingKept();
  const data = disk.volumes.filter((volume) => volume.role === 'data');
  const { interrupted, table } = target;
  // A note that keeps nothing is stale beside a table with every data volume in place: while a restore writes
  // volumes there is no table. It is left where the power went between the table and the end of the note.
  const stale = interrupted?.kept.length === 0 && data.length > 0 && allInPlace(disk, data, target);
  if (interrupted !== null && !stale) return fromNote(data, interrupted.kept);
  if (data.length === 0) return nothingKept();

  const states = data.map((volume) => ({ volume, state: compareVolume(volume, disk, target) }));
  if (allInPlace(disk, data, target)) {
    const whole = data.filter(({ number }) => !target.halfRestored.includes(number));
    const warnings = data
      .filter((volume) => !whole.includes(volume))
      .map((volume) => `The restore of ${describeVolume(volume)} was interrupted; it is restored again.`);
    return found(target.isRegisteredDisk ? 'registered-disk' : 'data-partition', whole, survived, warnings);
  }
  const contradiction = states.find(({ state }) => state === 'elsewhere');
  if (contradiction !== undefined) return contradicts(contradiction.volume, 'has it at another place');
  if (!target.isRegisteredDisk) {
    const some = states.find(({ state }) => state === 'in-place');
    return some === undefined
      ? nothingKept()
      : contradicts(some.volume, 'has it, but not the other data volumes');
  }
  if (table.kind === 'none') return withoutTable(data, target, scope.lostData);
  const gone = states.find(({ state }) => state === 'absent');
  return contradicts(gone?.volume ?? data[0], 'does not have it');
}

/**
 * The station's own disk, its table gone. Where the data volume's file system is still at its place, only the
 * table was lost: it survives. Where not, a person decides, for both answers can destroy the last copy.
 */
function withoutTable(
  data: readonly Volume[],
  target: TargetDisk,
  decision: 'restore' | 'leave' | undefined,
): Survivors {
  const isThere = ({ number, fileSystem }: Volume): boolean =>
    fileSystem !== undefined && target.fileSystems?.get(number) === fileSystem;
  const there = data.filter(isThere);
  const lost = data.filter((volume) => !isThere(volume));
  const names = (volumes: readonly Volume[]) => volumes.map(describeVolume).join(', ');
  const warnings = ['The partition table of this disk is gone.'];
  if (there.length > 0)
    warnings.push(`${names(there)}: still at its place, left as it is, and in the restored table again.`);
  if (lost.length === 0) return found('registered-disk', data, survived, warnings);
  switch (decision) {
    case 'leave':
      warnings.push(
        `${names(lost)}: nothing is recognised there; its range is left as it is, and nothing is brought back.`,
      );
      return found('registered-disk', data, 'left as it is, as decided', warnings);
    case 'restore':
      warnings.push(`${names(lost)}: nothing is recognised there; it is restored as it was in the image.`);
      return found('registered-disk', there, survived, warnings);
    case undefined:
      return {
        kind: 'data-lost',
        volumes: lost,
        sentence: `The partition table of this disk is gone, and where ${names(lost)} was, no file system is recognised any more.`,
      };
  }
}

function allInPlace(disk: ImageDisk, data: readonly Volume[], target: TargetDisk): boolean {
  return data.every((volume) => compareVolume(volume, disk, target) === 'in-place');
}

/** Whether anything of a data volume may be on the disk: its partition, or its file system without a table. */
export function isOnDisk(volume: Volume, disk: ImageDisk, target: TargetDisk): boolean {
  if (target.table.kind === 'none') return target.isRegisteredDisk;
  return compareVolume(volume, disk, target) !== 'absent';
}

/** A volume that the note does not name was being written when the restore ended. */
function fromNote(data: readonly Volume[], kept: readonly ByteRange[]): Survivors {
  if (kept.length === 0) return nothingKept();
  const isKept = (volume: Volume): boolean =>
    kept.some((range) => range.startByte === volume.startByte && range.sizeBytes === volume.sizeBytes);
  const volumes = data.filter(isKept);
  return volumes.length === kept.length
    ? found('interrupted-restore', volumes)
    : {
        kind: 'contradiction',
        sentence:
          'An interrupted restore of another image left data volumes on this disk that lie elsewhere than in the chosen image.',
      };
}

type VolumeState = 'in-place' | 'elsewhere' | 'absent';

function compareVolume(volume: Volume, disk: ImageDisk, target: TargetDisk): VolumeState {
  const { table } = target;
  const sameExtent = table.partitions.find(
    (partition) => partition.startByte === volume.startByte && partition.sizeBytes === volume.sizeBytes,
  );
  if (volume.partitionGuid === undefined) {
    const sameType = sameExtent?.partitionType === volume.partitionType;
    return sameType && (target.isRegisteredDisk || hasSameSignature(disk, table)) ? 'in-place' : 'absent';
  }
  if (sameExtent?.partitionGuid === volume.partitionGuid) return 'in-place';
  const moved = table.partitions.some((partition) => partition.partitionGuid === volume.partitionGuid);
  return moved ? 'elsewhere' : 'absent';
}

/** An MBR names no partition; its disk signature (byte 440) is all that tells two disks of one layout apart. */
export function hasSameSignature(disk: ImageDisk, table: PartitionTable): boolean {
  const primary = Buffer.from(disk.partitionTable.primary, 'base64');
  if (table.kind !== 'mbr' || table.diskSignature === 0 || primary.length < 444) return false;
  return primary.readUInt32LE(440) === table.diskSignature;
}

function contradicts(volume: Volume | undefined, how: string): Survivors {
  const name = volume === undefined ? 'the data volume' : `data volume ${describeVolume(volume)}`;
  return {
    kind: 'contradiction',
    sentence: `The image has ${name} at byte ${volume?.startByte ?? 0}; the partition table on the disk ${how}.`,
  };
}
