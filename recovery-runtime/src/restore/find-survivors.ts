import type { ByteRange } from '#images/format/chunk-grid.ts';
import type { ImageDisk, Volume } from '#images/format/image-manifest.ts';
import type { PartitionTable } from '#images/format/partition-table/partition-table.ts';
import type { RestorePlan, TargetDisk } from './restore-plan.ts';

/** Which data volumes are still on the disk and stay as they are. */
export type Survivors =
  | { readonly kind: 'found'; readonly by: RestorePlan['survivedBy']; readonly volumes: readonly Volume[] }
  | { readonly kind: 'contradiction'; readonly sentence: string };

/**
 * A disk survived when it is the registered one, or when its readable table carries the image's data
 * partitions at the same place. A note of an interrupted restore decides before both: until that restore is
 * complete the table is gone, and a data volume may be half written.
 */
export function findSurvivors(disk: ImageDisk, target: TargetDisk): Survivors {
  const data = disk.volumes.filter((volume) => volume.role === 'data');
  const { interrupted } = target;
  // A note that keeps nothing is stale beside a table with every data volume in place: while a restore writes
  // volumes there is no table. It is left where the power went between the table and the end of the note.
  const stale = interrupted?.kept.length === 0 && data.length > 0 && allInPlace(disk, data, target);
  if (interrupted !== null && !stale) return fromNote(data, interrupted.kept);
  if (data.length === 0) return { kind: 'found', by: null, volumes: [] };

  const { table } = target;
  const states = data.map((volume) => ({ volume, state: compareVolume(volume, disk, target) }));
  const contradiction = states.find(({ state }) => state === 'elsewhere');
  if (allInPlace(disk, data, target)) {
    return {
      kind: 'found',
      by: target.isRegisteredDisk ? 'registered-disk' : 'data-partition',
      volumes: data,
    };
  }
  if (contradiction !== undefined) return contradicts(contradiction.volume, 'has it at another place');
  if (!target.isRegisteredDisk) {
    const some = states.find(({ state }) => state === 'in-place');
    return some === undefined
      ? { kind: 'found', by: null, volumes: [] }
      : contradicts(some.volume, 'has it, but not the other data volumes');
  }
  if (table.kind === 'none') return { kind: 'found', by: 'registered-disk', volumes: data };
  const gone = states.find(({ state }) => state === 'absent');
  return contradicts(gone?.volume ?? data[0], 'does not have it');
}

function allInPlace(disk: ImageDisk, data: readonly Volume[], target: TargetDisk): boolean {
  return data.every((volume) => compareVolume(volume, disk, target) === 'in-place');
}

function fromNote(data: readonly Volume[], kept: readonly ByteRange[]): Survivors {
  if (kept.length === 0) return { kind: 'found', by: null, volumes: [] };
  const same =
    kept.length === data.length &&
    data.every((volume) =>
      kept.some((range) => range.startByte === volume.startByte && range.sizeBytes === volume.sizeBytes),
    );
  return same
    ? { kind: 'found', by: 'interrupted-restore', volumes: data }
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
function hasSameSignature(disk: ImageDisk, table: PartitionTable): boolean {
  const primary = Buffer.from(disk.partitionTable.primary, 'base64');
  if (table.kind !== 'mbr' || table.diskSignature === 0 || primary.length < 444) return false;
  return primary.readUInt32LE(440) === table.diskSignature;
}

function contradicts(volume: Volume | undefined, how: string): Survivors {
  const name =
    volume === undefined
      ? 'the data volume'
      : `data volume ${volume.number} "${volume.name || (volume.label ?? '')}"`;
  return {
    kind: 'contradiction',
    sentence: `The image has ${name} at byte ${volume?.startByte ?? 0}; the partition table on the disk ${how}.`,
  };
}
