import { errorChain } from '#base/errors.ts';
import type { FirstBootPlan, HookMaterial } from '#contract/first-boot.ts';
import type { Hook, HookKind, HookPlan } from '#contract/hook.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import type { HookWork } from '#contract/hook-work.ts';
import { bindWork, runPhase } from '#contract/run-hooks.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import { collectStaged, type Staged } from '../first-boot/staged-files.ts';
import type { OfflineContext, OfflineHook } from './offline-hook.ts';
import { offlineHooks } from './offline-hooks.ts';
import type { OpenSystem, RestoredDisk } from './open-restored-system.ts';
import type { RestoredSystem } from './restored-system.ts';

export interface OfflineRun {
  readonly plan: HookPlan;
  readonly jobId: string;
  /** STATION@<UTC time> */
  readonly ref: string;
  readonly manifest: ImageManifest;
  readonly store: OfflineContext<HookKind>['store'];
  /** Of preflight. */
  readonly earlier: readonly HookRecord[];
  readonly material: HookMaterial;
  readonly disks: readonly RestoredDisk[];
  readonly networkCards: OfflineContext<HookKind>['networkCards'];
  openSystem(disks: readonly RestoredDisk[]): Promise<OpenSystem>;
  /** Writes agent, plan and files into the restored system, and reads them back. */
  stageFirstBoot(system: RestoredSystem, staged: StagedFirstBoot): Promise<void>;
  readFirstBootFile: OfflineContext<HookKind>['readFirstBootFile'];
  say(sentence: string): void;
  now(): Date;
}

export interface StagedFirstBoot {
  readonly plan: FirstBootPlan;
  readonly key: Uint8Array;
  readonly files: Staged['files'];
}

/** A service that nobody repairs in that time is not waited for by a station that runs a plant. */
const giveUpHours = 72;

/**
 * The offline phase, and the way to the first boot. What was only staged in memory when the staging itself fails has
 * failed with it.
 */
export async function runOfflineHooks(run: OfflineRun): Promise<HookRecord[]> {
  await using open = await run.openSystem(run.disks);
  const { system } = open;
  if (system.kind === 'windows') for (const remark of system.remarks) run.say(remark);
  const staged = collectStaged();
  const titles = new Map(run.earlier.map(({ hook, title }) => [hook, title]));
  const titleOf = (hook: Hook) => titles.get(hook.id) ?? `${hook.kind} ${hook.id}`;
  const records = await runPhase({
    phase: 'offline',
    hooks: run.plan.hooks,
    earlier: run.earlier,
    dryRun: false,
    titleOf,
    now: run.now,
    workOf(hook, earlier, signal) {
      const failed = run.material.failed.find(({ hook: id }) => id === hook.id);
      if (failed !== undefined) return bindWork(refusing(failed), undefined);
      const found = offlineHooks[hook.kind] as OfflineHook<HookKind> | undefined;
      if (found === undefined) return undefined;
      const context: OfflineContext<HookKind> = {
        hook,
        ref: run.ref,
        manifest: run.manifest,
        store: run.store,
        earlier,
        system,
        files: run.material.files.filter(({ hook: id }) => id === hook.id),
        stage: staged.stageOf(hook, titleOf(hook)),
        networkCards: run.networkCards,
        readFirstBootFile: run.readFirstBootFile,
        signal,
        say: run.say,
      };
      return bindWork(found.offline, context);
    },
    onRecord(record) {
      run.say(`${record.title}: ${record.result.outcome}`);
      if (record.result.outcome === 'failed') staged.drop(record.hook);
    },
  });
  if (staged.steps.length === 0) return records;
  try {
    await run.stageFirstBoot(system, {
      key: Buffer.from(run.material.firstBootKey, 'hex'),
      files: staged.files,
      plan: {
        formatVersion: 1,
        jobId: run.jobId,
        station: run.plan.station,
        servers: run.material.servers,
        giveUpHours,
        steps: [...staged.steps],
      },
    });
    return records;
  } catch (error) {
    return records.map((record) => (record.result.outcome === 'staged' ? notStaged(record, error) : record));
  }
}

function notStaged(record: HookRecord, error: unknown): HookRecord {
  const sentence = `Nothing could be staged for the first boot: ${errorChain(error).join(': ')}`.slice(
    0,
    2000,
  );
  return { ...record, result: { outcome: 'failed', sentence } };
}

function refusing(failed: HookMaterial['failed'][number]): HookWork<undefined> {
  const { sentence, next } = failed;
  return {
    precondition: async () => ({
      kind: 'refuse',
      sentence: `The service could not make what it needs: ${sentence}`.slice(0, 2000),
      ...(next === undefined ? {} : { next }),
    }),
    plan: async () => ({ lines: [], planned: undefined }),
    verify: async () => ({ result: { outcome: 'failed', sentence }, evidence: [] }),
  };
}
