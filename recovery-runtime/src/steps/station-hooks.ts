import { statSync } from 'node:fs';
import { RekindleError } from '#base/errors.ts';
import type { HookMaterial } from '#contract/first-boot.ts';
import type { HookPlan } from '#contract/hook.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import { failuresOf } from '#contract/run-hooks.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import { texts, titles } from '../console/texts.ts';
import type { Confirmed } from '../engine/confirmed.ts';
import { readingStep, writingStep } from '../engine/step.ts';
import { stageFirstBoot } from '../first-boot/stage-first-boot.ts';
import { type OfflineRun, runOfflineHooks } from '../hooks/run-offline-hooks.ts';
import type { UnfinishedDisk } from '../restore/restore-disk.ts';
import { askPreflight, takeHookMaterial } from '../server-client/calls.ts';
import type { ServerClient } from '../server-client/server-client.ts';
import type { Machine } from '../workflow-machine.ts';
import { assertControllerState, assertRole } from './assert-roles.ts';
import type { SignedImage } from './open-job.ts';
import type { PlannedDisk } from './plan-restore.ts';

/** The station's hooks, after their preflight. */
export interface StationHooks {
  readonly plan: HookPlan;
  readonly preflight: readonly HookRecord[];
  readonly jobId: string;
  /** What the service makes for them; once a job, when the disks are restored. */
  takeMaterial(): Promise<HookMaterial>;
}

interface Job {
  readonly jobId: string;
  readonly token: string;
}

/** Before anything is written the service looks whether what follows the restore can work. */
export const preflightHooks = readingStep<
  { readonly server: ServerClient; readonly job: Job; readonly manifest: ImageManifest },
  StationHooks
>({
  id: 'preflight-hooks',
  title: titles['preflight-hooks'],
  async run({ server, job, manifest }) {
    const { plan, records } = await askPreflight(server, job);
    assertRole(plan, manifest);
    assertControllerState(plan, records, manifest);
    const failures = failuresOf(records);
    if (failures.length > 0) {
      const next = records.flatMap(({ result }) =>
        result.outcome === 'failed' && result.next !== undefined ? [result.next] : [],
      );
      throw new RekindleError('failed-hooks', texts.preflightRefuses(plan.station), {
        cause: new Error(failures.join(' ')),
        next: next[0] ?? texts.mendPlan(plan.station),
      });
    }
    return {
      value: {
        plan,
        preflight: records,
        jobId: job.jobId,
        takeMaterial: () => takeHookMaterial(server, job),
      },
      sentence: texts.hooksReady(plan.hooks.map(({ id }) => id)),
      skipped: plan.hooks.length === 0,
    };
  },
});

/** Works on the restored disks; whatever fails is a record, and stops those hooks only that wait for it. */
export const applyHooks = writingStep<
  {
    readonly confirmed: Confirmed;
    readonly hooks: StationHooks;
    readonly image: Pick<SignedImage, 'ref' | 'manifest' | 'source' | 'key'>;
    readonly planned: readonly PlannedDisk[];
    readonly networkCards: OfflineRun['networkCards'];
    /** What a disk lacks that is held back from starting; undefined for one that is whole. */
    readonly held: (disk: PlannedDisk) => Pick<UnfinishedDisk, 'missing'> | undefined;
    readonly machine: Pick<Machine, 'openRestoredSystem' | 'readFirstBootFile' | 'now'>;
  },
  readonly HookRecord[]
>({
  id: 'apply-hooks',
  title: titles['apply-hooks'],
  async run({ hooks, image: restored, planned, networkCards, held, machine }, { say }) {
    const { plan, preflight, jobId } = hooks;
    if (plan.hooks.length === 0 || !restoresSystem(planned)) {
      return { value: [], sentence: texts.noHooks(plan.hooks.length), skipped: true };
    }
    const records = await runOfflineHooks({
      plan,
      jobId,
      ref: restored.ref,
      manifest: restored.manifest,
      store: { source: restored.source, key: restored.key },
      earlier: preflight,
      material: await hooks.takeMaterial(),
      disks: planned.map((each) => {
        const { image, disk } = each.target;
        const { missing } = held(each) ?? {};
        return {
          image,
          path: disk.devicePath,
          isBlockDevice: statSync(disk.devicePath).isBlockDevice(),
          ...(missing === undefined ? {} : { missing }),
        };
      }),
      networkCards,
      openSystem: (disks) => machine.openRestoredSystem(disks),
      stageFirstBoot: (system, staged) =>
        stageFirstBoot(system, staged, (name) => machine.readFirstBootFile(name)),
      readFirstBootFile: (name) => machine.readFirstBootFile(name),
      say,
      now: () => machine.now(),
    });
    return { value: records, sentence: texts.hooksApplied(records.map(({ result }) => result.outcome)) };
  },
});

/** Hooks belong to a system that was put back, not to a data volume alone. */
export function restoresSystem(planned: readonly PlannedDisk[]): boolean {
  return planned.some(({ target, plan }) =>
    target.image.volumes.some(
      ({ role, startByte, sizeBytes }) =>
        role === 'system' &&
        plan.restored.some(
          (range) =>
            range.startByte <= startByte && range.startByte + range.sizeBytes >= startByte + sizeBytes,
        ),
    ),
  );
}
