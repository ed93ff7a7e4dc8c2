import { type ByteRange, endOf, overlaps } from '#images/format/chunk-grid.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import type { RestorePlan, RestoreRefused } from './restore-plan.ts';
import { chosenNumbers, type RestoreScope } from './restore-scope.ts';

/**
 * The disk that is restored holds the partition which the recovery was started from. That partition and the table
 * that leads to it stay; everything else of the image that a restore by rule brings back goes into the partitions
 * that are there (plan-volumes.ts, which checks that they are the image's).
 */
export type OnlyVolumes = Extract<RestoreScope, { kind: 'volumes' }>;

export function scopeBesideMedium(
  disk: ImageDisk,
  medium: ByteRange,
  scope: RestoreScope,
): OnlyVolumes | RestoreRefused {
  if (scope.kind === 'all') return refuse('The whole disk would be overwritten, that partition too.');
  const chosen =
    scope.kind === 'by-rule'
      ? disk.volumes.filter((volume) => volume.role === 'system' && !overlaps(volume, medium))
      : disk.volumes.filter(({ number }) => chosenNumbers(scope, disk.number).includes(number));
  const overwritten = chosen.find((volume) => overlaps(volume, medium));
  if (overwritten !== undefined)
    return refuse(`Volume ${overwritten.number} would overwrite that partition.`);
  if (chosen.length === 0) return refuse('The image has no system volume beside that partition.');
  return { kind: 'volumes', volumes: chosen.map(({ number }) => ({ disk: disk.number, number })) };
}

/** The plan with that partition among what is kept, and what the person has to know. */
export function keepMedium(plan: RestorePlan, medium: ByteRange & { readonly number: number }): RestorePlan {
  const what = `partition ${medium.number}, where this recovery lies`;
  const kept = plan.kept.map((range) => ({ ...range, reason: stays }));
  return {
    ...plan,
    kept: [
      ...kept.filter((range) => !isInside(range, medium)),
      { kind: 'volume', what, reason: stays, startByte: medium.startByte, sizeBytes: medium.sizeBytes },
    ],
    warnings: [
      ...plan.warnings,
      `The recovery was started from this disk: its partition table and partition ${medium.number} stay as they are.`,
    ],
    besideMedium: true,
  };
}

/** What a plan for single volumes cannot do, another way into the recovery can. */
export function refuseBesideMedium(refused: RestoreRefused): RestoreRefused {
  return { ...refused, next: otherWay };
}

const isInside = (range: ByteRange, outer: ByteRange): boolean =>
  range.startByte >= outer.startByte && endOf(range) <= endOf(outer);

const stays = 'the recovery was started from this disk';
const otherWay =
  'Start the recovery from the network or from a USB medium: these can restore the whole disk.';

const refuse = (why: string): RestoreRefused => ({
  kind: 'refused',
  reason: 'table-differs',
  sentence: `The recovery was started from a partition of this disk. ${why}`,
  next: otherWay,
});
