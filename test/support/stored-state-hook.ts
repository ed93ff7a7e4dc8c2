import type { DomainController } from '#contract/hook-kinds/domain-controller.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import type { SignedStore } from '#images/stores/signed-store.ts';
import { openRestoredSystem } from '#runtime/hooks/open-restored-system.ts';
import { runOfflineHooks, type StagedFirstBoot } from '#runtime/hooks/run-offline-hooks.ts';
import { readFirstBootFile } from '#scripts/runtime/first-boot-files.ts';
import { controllerName, controllerPlan, controllerPreflight, storedBackup } from './controller-station.ts';
import { offlineRun } from './offline-run.ts';

/** The offline phase of a controller's hook with a system state from the store, on a disk file. */
export interface StoredStateRun {
  readonly disk: string;
  readonly store: SignedStore;
  /** STATION@<UTC time> that the preflight has chosen; undefined: it named none. */
  readonly chosen: string | undefined;
  readonly systemState?: Partial<DomainController['systemState'] & { from: 'backup-in-store' }>;
  readonly timeoutSeconds?: number;
  /** Of the image, as its manifest names it. */
  readonly computerName?: string;
  say?(sentence: string): void;
  /** Called when the drive is closed again, before it is read back. */
  whenCopied?(): void;
}

export interface StoredStateEnd {
  readonly record: HookRecord;
  readonly staged: StagedFirstBoot | undefined;
}

export async function runStoredState(run: StoredStateRun): Promise<StoredStateEnd> {
  const manifest = {
    ...{ station: controllerName, computerName: run.computerName ?? controllerName },
    stationRole: 'domain-controller',
    disks: [{ volumes: [{ role: 'system', fileSystem: 'ntfs' }] }],
  } as unknown as ImageManifest;
  const plan = controllerPlan({ ...storedBackup, ...run.systemState } as DomainController['systemState']);
  let staged: StagedFirstBoot | undefined;
  const [record] = await runOfflineHooks({
    ...offlineRun([]),
    plan: {
      ...plan,
      hooks: plan.hooks.map((hook) => ({
        ...hook,
        timeoutSeconds: run.timeoutSeconds ?? hook.timeoutSeconds,
      })),
    },
    ref: `${controllerName}@2026-11-27T02:00:00Z`,
    manifest,
    store: run.store,
    earlier: [controllerPreflight('state-hook-required', run.chosen)],
    disks: [{ image: manifest.disks[0] as never, path: run.disk, isBlockDevice: false }],
    openSystem: openRestoredSystem,
    stageFirstBoot: async (_, given) => {
      staged = given;
    },
    say: run.say ?? (() => {}),
    readFirstBootFile: async (name) => {
      run.whenCopied?.();
      return readFirstBootFile(name);
    },
  });
  if (record === undefined) throw new Error('the hook left no record');
  return { record, staged };
}
