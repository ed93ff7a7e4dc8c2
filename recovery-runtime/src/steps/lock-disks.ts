import { statSync } from 'node:fs';
import { lockDisks, type WriteLock } from '../block/write-lock.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import type { DiskDevice } from '../inventory/disks.ts';
import type { PlannedDisk } from './plan-restore.ts';

/**
 * Everything that the plan does not write is locked in the kernel until the restore is over: other disks (that of the
 * store, the boot medium and USB sticks among them) and the volumes that survive on the disks that are written.
 */
export const lockOtherDisks = readingStep<
  { readonly present: readonly DiskDevice[]; readonly planned: readonly PlannedDisk[] },
  WriteLock
>({
  id: 'lock-disks',
  title: titles['lock-disks'],
  async run({ present, planned }) {
    const isDevice = (path: string): boolean => statSync(path).isBlockDevice();
    const lock = await lockDisks({
      disks: present.map(({ devicePath }) => devicePath).filter(isDevice),
      targets: planned.map(({ target, plan }) => ({ path: target.disk.devicePath, kept: plan.kept })),
    });
    return {
      value: lock,
      sentence: texts.disksLocked(lock.locked, lock.inUse),
      skipped: lock.locked.length === 0 && lock.inUse.length === 0,
    };
  },
});
