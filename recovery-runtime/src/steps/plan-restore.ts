import { RekindleError } from '#base/errors.ts';
import type { Partition } from '#images/format/partition-table/partition-table.ts';
import { readTargetDisk } from '../block/read-target-disk.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import { planRestore } from '../restore/plan-restore.ts';
import type { RestorePlan } from '../restore/restore-plan.ts';
import type { TargetDisk, TargetDisks } from './choose-disks.ts';
import { describePartition, findLostPartitions } from './lost-partitions.ts';
import type { SignedImage } from './open-job.ts';

export interface PlannedDisk {
  readonly target: TargetDisk;
  readonly plan: RestorePlan;
  /** On the disk now, not in the image, and overwritten. */
  readonly lost: readonly Partition[];
  readonly diskIndexSha256: string;
}

/** What is overwritten and what survives, for each disk; refused before anything is written when it does not fit. */
export const planRestoreOfDisks = readingStep<
  { readonly image: SignedImage; readonly disks: TargetDisks },
  readonly PlannedDisk[]
>({
  id: 'plan-restore',
  title: titles['plan-restore'],
  async run({ image, disks }) {
    const planned = disks.targets.map((target): PlannedDisk => {
      const number = image.manifest.disks.indexOf(target.image);
      const index = image.indexes[number];
      if (index === undefined) throw new RangeError(`disk ${target.image.number} is not one of the image's`);
      const { devicePath, passportDisk } = target.disk;
      const found = readTargetDisk(
        devicePath,
        target.recognisedBy === 'wwn' || target.recognisedBy === 'serial',
        passportDisk.logicalSectorBytes,
      );
      const plan = planRestore(target.image, index, found);
      if (plan.kind === 'refused') {
        throw new RekindleError(
          'target-unfit',
          `planning the restore of disk ${target.image.number} onto ${passportDisk.model} in ${passportDisk.slot}`,
          { cause: new Error(plan.sentence), next: plan.next },
        );
      }
      const lost = findLostPartitions(found.table.partitions, target.image, plan.restored);
      return { target, plan, lost, diskIndexSha256: image.diskIndexSha256[number] ?? '' };
    });
    const bytes = (ranges: readonly { sizeBytes: number }[]) =>
      ranges.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const overwritten = bytes(planned.flatMap(({ plan }) => plan.restored));
    const kept = bytes(planned.flatMap(({ plan }) => plan.kept));
    const lost = planned.flatMap((disk) => disk.lost.map(describePartition));
    return { value: planned, sentence: texts.planned(overwritten, kept, lost) };
  },
});
