import type { DiskIndex } from '#images/format/disk-index.ts';
import type { ImageDisk, Volume } from '#images/format/image-manifest.ts';
import { volumeChunks } from './divide-chunks.ts';
import { hasSameSignature } from './find-survivors.ts';
import { rangeOf } from './planned-ranges.ts';
import type { RestoreDecision, RestoreRefused, TargetDisk } from './restore-plan.ts';
import { chosenNumbers, type RestoreScope } from './restore-scope.ts';

/**
 * Chosen volumes into the partitions that are on the disk now. The table stays as it is, so each partition has to
 * be the image's: same slot, start, size and GUID; with an MBR, which has no GUIDs, same type and disk signature.
 */
export function planVolumes(
  disk: ImageDisk,
  index: DiskIndex,
  target: TargetDisk,
  scope: Extract<RestoreScope, { kind: 'volumes' }>,
): RestoreDecision {
  const numbers = chosenNumbers(scope, disk.number);
  const chosen = disk.volumes.filter(({ number }) => numbers.includes(number));
  if (target.interrupted !== null) {
    return differs(
      'A restore of this whole disk did not come to its end, so it has no partition table of its own yet.',
      'Finish that restore first: start it again without choosing volumes.',
    );
  }
  const problems = [
    ...tableProblems(disk, target),
    ...chosen.flatMap((volume) => volumeProblems(volume, target)),
  ];
  if (problems.length > 0) {
    return differs(
      problems.join(' '),
      'Restore the whole disk, which brings its partition table along, or restore onto the disk that the image was taken from.',
    );
  }
  const restored = chosen.map((volume) => rangeOf(volume, `a ${volume.role} volume, restored as asked`));
  const zones = volumeChunks(index, restored);
  if ('kind' in zones) return zones;
  return {
    kind: 'restore',
    diskNumber: disk.number,
    target: { sizeBytes: target.sizeBytes, logicalSectorBytes: target.logicalSectorBytes },
    index,
    extent: 'volumes',
    survivedBy: target.isRegisteredDisk ? 'registered-disk' : 'data-partition',
    restored,
    kept: disk.volumes
      .filter((volume) => !chosen.includes(volume))
      .map((volume) => rangeOf(volume, 'not chosen')),
    overwrittenData: chosen
      .filter(({ role }) => role === 'data')
      .map((volume) => rangeOf(volume, 'a data volume, restored as asked')),
    warnings: [],
    ...zones,
    relocated: null,
    backupStartByte: null,
  };
}

function differs(sentence: string, next: string): RestoreRefused {
  return { kind: 'refused', reason: 'table-differs', sentence, next };
}

const kinds = { gpt: 'a GPT', mbr: 'an MBR', none: 'no partition table' } as const;

function tableProblems(disk: ImageDisk, target: TargetDisk): string[] {
  const [image, found] = [disk.partitionTable.kind, target.table.kind];
  if (image !== found) return [`The image has ${kinds[image]}, the disk has ${kinds[found]}.`];
  if (found === 'mbr' && !target.isRegisteredDisk && !hasSameSignature(disk, target.table))
    return ["The disk signature in the MBR is not the image's."];
  return [];
}

function volumeProblems(volume: Volume, { table }: TargetDisk): string[] {
  const name = `Partition ${volume.number}`;
  const found = table.partitions.find(({ number }) => number === volume.number);
  if (table.kind === 'none') return [];
  if (found === undefined) return [`${name} is not on the disk.`];
  const facts = [
    ['starts at byte', found.startByte, volume.startByte],
    ['has the size', found.sizeBytes, volume.sizeBytes],
    volume.partitionGuid === undefined
      ? (['has the type', found.partitionType, volume.partitionType] as const)
      : (['has the GUID', found.partitionGuid ?? 'none', volume.partitionGuid] as const),
  ] as const;
  return facts
    .filter(([, is, was]) => is !== was)
    .map(([what, is, was]) => `${name} ${what} ${is}, in the image ${was}.`);
}
