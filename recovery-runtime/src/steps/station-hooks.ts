import { statSync } from 'node:fs';
import { RekindleError } from '#base/errors.ts';
import { soleController, verdictEvidence } from '#contract/domain-files.ts';
import type { HookMaterial } from '#contract/first-boot.ts';
import type { HookPlan } from '#contract/hook.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import { failuresOf } from '#contract/run-hooks.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import { texts, titles } from '../console/texts.ts';
import type { Confirmed } from '../engine/confirmed.ts';
import { readingStep, writingStep } from '../engine/step.ts';
import { stageFirstBoot } from '../first-boot/stage-first-boot.ts';
import { offlineHooks } from '../hooks/offline-hooks.ts';
import { runOfflineHooks } from '../hooks/run-offline-hooks.ts';
import { askPreflight, takeHookMaterial } from '../server-client/calls.ts';
import type { ServerClient } from '../server-client/server-client.ts';
import type { Machine } from '../workflow-machine.ts';
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
    assertControllerState(plan, records);
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

/**
 * The plan's schema refuses a domain controller without its hook; an image that was taken as one's while the station
 * is registered as something else is a contradiction that a person has to resolve.
 */
function assertRole(plan: HookPlan, { stationRole, station }: ImageManifest): void {
  const contradicts = (stationRole === 'domain-controller') !== (plan.stationRole === 'domain-controller');
  if (!contradicts) return;
  throw new RekindleError('verification-failed', `comparing the role of ${station} with its image's`, {
    cause: new Error(`the image is a ${stationRole}'s, the station is registered as ${plan.stationRole}`),
    next: 'Find out what the station is; a domain controller is never started from an image alone.',
  });
}

/**
 * Before the first write: a controller that needs a new invocationId is not restored by a runtime that cannot give it
 * one. The only controller of a forest needs none.
 */
function assertControllerState(plan: HookPlan, records: readonly HookRecord[]): void {
  const hook = plan.hooks.find(({ kind }) => kind === 'domain-controller');
  if (hook === undefined || offlineHooks['domain-controller'] !== undefined) return;
  const sole = records.some(
    ({ hook: id, evidence }) =>
      id === hook.id &&
      evidence.some(({ name, value }) => name === verdictEvidence && value === soleController),
  );
  if (sole) return;
  throw new RekindleError('failed-hooks', `preparing the restore of the domain controller ${plan.station}`, {
    cause: new Error('this runtime cannot give its directory a new invocationId before it starts'),
    next: 'Install a new domain controller beside the living ones, or restore its system state with its own backup.',
  });
}

/** Works on the restored disks; whatever fails is a record, and stops those hooks only that wait for it. */
export const applyHooks = writingStep<
  {
    readonly confirmed: Confirmed;
    readonly hooks: StationHooks;
    readonly ref: string;
    readonly manifest: ImageManifest;
    readonly planned: readonly PlannedDisk[];
    readonly machine: Pick<Machine, 'openRestoredSystem' | 'readFirstBootFile' | 'now'>;
  },
  readonly HookRecord[]
>({
  id: 'apply-hooks',
  title: titles['apply-hooks'],
  async run({ hooks, ref, manifest, planned, machine }, { say }) {
    const { plan, preflight, jobId } = hooks;
    if (plan.hooks.length === 0 || !restoresSystem(planned)) {
      return { value: [], sentence: texts.noHooks(plan.hooks.length), skipped: true };
    }
    const records = await runOfflineHooks({
      plan,
      jobId,
      ref,
      manifest,
      earlier: preflight,
      material: await hooks.takeMaterial(),
      disks: planned.map(({ target }) => ({
        image: target.image,
        path: target.disk.devicePath,
        isBlockDevice: statSync(target.disk.devicePath).isBlockDevice(),
      })),
      openSystem: (disks) => machine.openRestoredSystem(disks),
      stageFirstBoot: (system, staged) =>
        stageFirstBoot(system, staged, (name) => machine.readFirstBootFile(name)),
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
