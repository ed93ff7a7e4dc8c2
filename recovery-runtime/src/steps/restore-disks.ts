import { formatBytes } from '#base/bytes.ts';
import type { DiskResult } from '#contract/run-report.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { texts, titles } from '../console/texts.ts';
import type { Confirmed } from '../engine/confirmed.ts';
import { writingStep } from '../engine/step.ts';
import { restoreContent, type UnfinishedDisk } from '../restore/restore-disk.ts';
import type { TargetDisks } from './choose-disks.ts';
import type { PlannedDisk } from './plan-restore.ts';

/** Its content is verified; its first blocks are written by `finish`. */
export interface ContentRestored {
  readonly planned: PlannedDisk;
  readonly unfinished: UnfinishedDisk;
  finish(): DiskResult;
}

/**
 * Writes the planned disks, one after the other, and reads back what was written (restore/restore-disk.ts). `hold`
 * leaves them without their first blocks, for `finishDisks`.
 */
export const restoreDisks = writingStep<
  {
    readonly confirmed: Confirmed;
    readonly disks: TargetDisks;
    readonly planned: readonly PlannedDisk[];
    readonly source: StoreRef;
    readonly hold: boolean;
    readonly onDisk: (result: DiskResult) => void;
    /** Closes the held disks when the run has ended, whatever became of it. */
    readonly stack: DisposableStack;
    /** Stops it; what is right on the disk by then stays. */
    readonly signal?: AbortSignal;
  },
  readonly ContentRestored[]
>({
  id: 'restore-disks',
  title: titles['restore-disks'],
  async run({ disks, planned, source, hold, onDisk, stack, signal }, { say, progress }) {
    const restored: ContentRestored[] = [];
    const results: DiskResult[] = [];
    for (const each of planned) {
      const { target, plan } = each;
      if (!disks.targets.includes(target))
        throw new RangeError(`disk ${target.image.number} is not a chosen target`);
      let phase = '';
      const unfinished = stack.use(
        await restoreContent({
          plan,
          path: target.disk.devicePath,
          source,
          ...(signal === undefined ? {} : { signal }),
          onProgress(now) {
            if (now.phase !== phase) say(texts.restorePhase[now.phase](target.image.number));
            phase = now.phase;
            progress(now.doneBytes, now.totalBytes);
          },
        }),
      );
      const content = { planned: each, unfinished, finish: () => resultOf(each, unfinished) };
      restored.push(content);
      if (hold) continue;
      const result = content.finish();
      unfinished[Symbol.dispose]();
      results.push(result);
      onDisk(result);
    }
    return { value: restored, sentence: hold ? texts.contentRestored : sumOf(results) };
  },
});

/** The first blocks of disks that were held: from here on they start. */
export const finishDisks = writingStep<
  {
    readonly confirmed: Confirmed;
    readonly restored: readonly ContentRestored[];
    readonly onDisk: (result: DiskResult) => void;
  },
  readonly DiskResult[]
>({
  id: 'finish-disks',
  title: titles['finish-disks'],
  async run({ restored, onDisk }) {
    const results: DiskResult[] = [];
    for (const { finish, unfinished } of restored) {
      const result = finish();
      unfinished[Symbol.dispose]();
      results.push(result);
      onDisk(result);
    }
    return { value: results, sentence: sumOf(results) };
  },
});

function resultOf({ target, diskIndexSha256 }: PlannedDisk, unfinished: UnfinishedDisk): DiskResult {
  const { model, serial, wwn } = target.disk.passportDisk;
  return {
    ...unfinished.finish(),
    model,
    ...(serial === undefined ? {} : { serial }),
    ...(wwn === undefined ? {} : { wwn }),
    diskIndexSha256,
  };
}

function sumOf(results: readonly DiskResult[]): string {
  const sum = (pick: (result: DiskResult) => number) =>
    results.reduce((total, each) => total + pick(each), 0);
  const written = sum(({ bytes }) => bytes.written);
  const verified = sum(({ bytes }) => bytes.verified);
  return texts.restored(formatBytes(written), formatBytes(verified));
}
