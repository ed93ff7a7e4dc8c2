import { formatBytes } from '#base/bytes.ts';
import type { DiskResult } from '#contract/run-report.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { texts, titles } from '../console/texts.ts';
import type { Confirmed } from '../engine/confirmed.ts';
import { writingStep } from '../engine/step.ts';
import { restoreDisk } from '../restore/restore-disk.ts';
import type { TargetDisks } from './choose-disks.ts';
import type { PlannedDisk } from './plan-restore.ts';

/** Writes the planned disks, one after the other, and reads back what was written (restore/restore-disk.ts). */
export const restoreDisks = writingStep<
  {
    readonly confirmed: Confirmed;
    readonly disks: TargetDisks;
    readonly planned: readonly PlannedDisk[];
    readonly source: StoreRef;
    readonly onDisk: (result: DiskResult) => void;
    /** Stops it; what is right on the disk by then stays. */
    readonly signal?: AbortSignal;
  },
  readonly DiskResult[]
>({
  id: 'restore-disks',
  title: titles['restore-disks'],
  async run({ disks, planned, source, onDisk, signal }, { say, progress }) {
    const results: DiskResult[] = [];
    for (const { target, plan, diskIndexSha256 } of planned) {
      if (!disks.targets.includes(target))
        throw new RangeError(`disk ${target.image.number} is not a chosen target`);
      const { model, serial, wwn } = target.disk.passportDisk;
      let phase = '';
      const restored = await restoreDisk({
        plan,
        path: target.disk.devicePath,
        source,
        ...(signal === undefined ? {} : { signal }),
        onProgress(now) {
          if (now.phase !== phase) say(texts.restorePhase[now.phase](target.image.number));
          phase = now.phase;
          progress(now.doneBytes, now.totalBytes);
        },
      });
      const result = {
        ...restored,
        model,
        ...(serial === undefined ? {} : { serial }),
        ...(wwn === undefined ? {} : { wwn }),
        diskIndexSha256,
      };
      results.push(result);
      onDisk(result);
    }
    const sum = (pick: (result: DiskResult) => number) =>
      results.reduce((total, each) => total + pick(each), 0);
    const written = sum(({ bytes }) => bytes.written);
    const verified = sum(({ bytes }) => bytes.verified);
    return { value: results, sentence: texts.restored(formatBytes(written), formatBytes(verified)) };
  },
});
