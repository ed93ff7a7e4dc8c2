import { RekindleError } from '#base/errors.ts';
import type { DiskIndex } from '#images/format/disk-index.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import type { Partition } from '#images/format/partition-table/partition-table.ts';
import { assertDiskFree, holdingsOf } from '../block/assert-disk-free.ts';
import { findDataFileSystems, readTargetDisk } from '../block/read-target-disk.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import type { OwnDiskMedium } from '../medium/own-disk-medium.ts';
import { keepMedium, refuseBesideMedium, scopeBesideMedium } from '../restore/beside-medium.ts';
import { warnOfRecoveries } from '../restore/overwritten-recoveries.ts';
import { planRestore } from '../restore/plan-restore.ts';
import type { RestoreDecision, RestorePlan, TargetDisk as TargetFacts } from '../restore/restore-plan.ts';
import { chosenNumbers, type RestoreScope } from '../restore/restore-scope.ts';
import type { TargetDisk, TargetDisks } from './choose-disks.ts';
import type { DecideLostData } from './decide-lost-data.ts';
import { describePartition, findLostPartitions } from './lost-partitions.ts';
import type { SignedImage } from './open-job.ts';

export interface PlannedDisk {
  readonly target: TargetDisk;
  readonly plan: RestorePlan;
  /** On the disk now, not in the image, and overwritten. */
  readonly lost: readonly Partition[];
  readonly diskIndexSha256: string;
}

export interface PlanInput {
  readonly image: Pick<SignedImage, 'manifest' | 'indexes' | 'diskIndexSha256' | 'source'>;
  readonly disks: TargetDisks;
  readonly scope: RestoreScope;
  readonly decideLostData: DecideLostData;
  /** Partition of one of the disks that this recovery was started from. */
  readonly startedFrom?: OwnDiskMedium | undefined;
}

/** What is overwritten and what survives, for each disk; refused before anything is written when it does not fit. */
export const planRestoreOfDisks = readingStep<PlanInput, readonly PlannedDisk[]>({
  id: 'plan-restore',
  title: titles['plan-restore'],
  async run(input) {
    const { disks, scope } = input;
    const targets = disks.targets.filter(
      ({ image }) => scope.kind !== 'volumes' || chosenNumbers(scope, image.number).length > 0,
    );
    const planned: PlannedDisk[] = [];
    for (const target of targets) planned.push(await planDisk(input, target));
    if (planned.length === 0) {
      throw new RekindleError('usage', 'planning the restore: the chosen volumes are on none of its disks', {
        next: 'Choose volumes of the disk that is to be restored.',
      });
    }
    const bytes = (ranges: readonly { sizeBytes: number }[]) =>
      ranges.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const overwritten = bytes(planned.flatMap(({ plan }) => plan.restored));
    const kept = bytes(planned.flatMap(({ plan }) => plan.kept));
    const lost = planned.flatMap((disk) => disk.lost.map(describePartition));
    return { value: planned, sentence: texts.planned(overwritten, kept, lost) };
  },
});

async function planDisk(input: PlanInput, target: TargetDisk): Promise<PlannedDisk> {
  const { image, scope, decideLostData } = input;
  const number = image.manifest.disks.indexOf(target.image);
  const index = image.indexes[number];
  if (index === undefined) throw new RangeError(`disk ${target.image.number} is not one of the image's`);
  const { devicePath, passportDisk } = target.disk;
  const beside = input.startedFrom?.disk === devicePath ? input.startedFrom : undefined;
  await assertDiskFree(devicePath, holdingsOf(image.source), { beside });
  const found = await readTarget(target);

  let decision =
    beside === undefined
      ? planRestore(target.image, index, found, scope)
      : planBesideMedium(target.image, index, found, scope, beside);
  if (decision.kind === 'data-lost' && scope.kind === 'by-rule' && beside === undefined) {
    const lostData = await decideLostData(decision);
    decision = planRestore(target.image, index, found, { kind: 'by-rule', lostData });
  }
  switch (decision.kind) {
    case 'restore': {
      const lost = findLostPartitions(found.table.partitions, target.image, decision.restored);
      const overwritten = await warnOfRecoveries(devicePath, found.table.partitions, decision.restored);
      const plan = { ...decision, warnings: [...decision.warnings, ...overwritten] };
      return { target, plan, lost, diskIndexSha256: image.diskIndexSha256[number] ?? '' };
    }
    case 'data-lost':
      throw new RangeError(`what becomes of the data volumes of disk ${target.image.number} was decided`);
    case 'refused':
      throw new RekindleError(
        'target-unfit',
        `planning the restore of disk ${target.image.number} onto ${passportDisk.model} in ${passportDisk.slot}`,
        { cause: new Error(decision.sentence), next: decision.next },
      );
  }
}

function planBesideMedium(
  disk: ImageDisk,
  index: DiskIndex,
  found: TargetFacts,
  scope: RestoreScope,
  { range, number }: OwnDiskMedium,
): RestoreDecision {
  const volumes = scopeBesideMedium(disk, range, scope);
  if (volumes.kind === 'refused') return volumes;
  const decision = planRestore(disk, index, found, volumes);
  if (decision.kind === 'refused') return refuseBesideMedium(decision);
  return decision.kind === 'restore' ? keepMedium(decision, { ...range, number }) : decision;
}

async function readTarget({ image, disk, recognisedBy }: TargetDisk): Promise<TargetFacts> {
  const isRegistered = recognisedBy === 'wwn' || recognisedBy === 'serial';
  const { devicePath, passportDisk } = disk;
  const found = readTargetDisk(devicePath, isRegistered, passportDisk.logicalSectorBytes);
  if (found.table.kind !== 'none' || !isRegistered) return found;
  return { ...found, fileSystems: await findDataFileSystems(devicePath, found.sizeBytes, image.volumes) };
}
