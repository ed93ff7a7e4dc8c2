import { RekindleError } from '#base/errors.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { assertDiskFree, holdingsOf } from '../block/assert-disk-free.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import type { DiskDevice } from '../inventory/disks.ts';
import type { OwnDiskMedium } from '../medium/own-disk-medium.ts';
import { describeDisk, type TargetDisks } from './choose-disks.ts';
import type { PlannedDisk } from './plan-restore.ts';

/**
 * The last look before the first write: minutes may have passed at the confirmation, a hot-plug bay takes
 * seconds, and a device path says nothing about which disk is behind it now.
 */
export const recheckDisks = readingStep<
  {
    readonly disks: TargetDisks;
    /** Those that are written. */
    readonly planned: readonly Pick<PlannedDisk, 'target'>[];
    /** What the restore reads from. */
    readonly source: StoreRef;
    readonly look: () => Promise<readonly DiskDevice[]>;
    readonly startedFrom?: OwnDiskMedium | undefined;
  },
  void
>({
  id: 'recheck-disks',
  title: titles['recheck-disks'],
  async run({ disks, planned, source, look, startedFrom }) {
    const present = await look();
    for (const target of disks.targets) {
      const { disk } = target;
      const now = present.find(({ devicePath }) => devicePath === disk.devicePath);
      if (now !== undefined && isUnchanged(disk, now)) {
        // Somebody may have mounted it meanwhile.
        if (planned.some((each) => each.target === target))
          await assertDiskFree(disk.devicePath, holdingsOf(source), { beside: startedFrom });
        continue;
      }
      const found = now === undefined ? 'is gone' : `is ${describeDisk(now.passportDisk)} now`;
      throw new RekindleError(
        'target-unfit',
        `looking at the disks once more: ${describeDisk(disk.passportDisk)} in ${disk.passportDisk.slot}`,
        {
          cause: new Error(`what was shown at the confirmation ${found}`),
          next: 'Leave the disks where they are, and start again.',
        },
      );
    }
    return { value: undefined, sentence: texts.disksUnchanged };
  },
});

function isUnchanged({ passportDisk: shown }: DiskDevice, { passportDisk: now }: DiskDevice): boolean {
  const facts = ['wwn', 'serial', 'model', 'slot', 'sizeBytes', 'logicalSectorBytes'] as const;
  return facts.every((fact) => shown[fact] === now[fact]);
}
