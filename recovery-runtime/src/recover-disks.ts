import type { DiskResult } from '#contract/run-report.ts';
import type { Terminal } from './console/terminal.ts';
import type { Confirming } from './engine/confirmed.ts';
import type { Findings } from './engine/findings.ts';
import type { Run } from './engine/run.ts';
import type { Inventory } from './inventory/inventory.ts';
import type { OwnDiskMedium } from './medium/own-disk-medium.ts';
import { planAndConfirm } from './plan-and-confirm.ts';
import type { RestoreScope } from './restore/restore-scope.ts';
import { assertNoControllerHookNeeded } from './steps/assert-roles.ts';
import type { IdentityAccepted } from './steps/check-identity.ts';
import { checkSystemState, hookWithStoredState } from './steps/check-system-state.ts';
import { chooseTargetDisks, keepOnlyDisk } from './steps/choose-disks.ts';
import {
  assertCardsHoldable,
  assertHoldable,
  assertHooksHeld,
  hooksThatHoldStart,
} from './steps/held-start.ts';
import { inspectRestoredWindows } from './steps/inspect-windows.ts';
import { lockOtherDisks } from './steps/lock-disks.ts';
import type { SignedImage } from './steps/open-job.ts';
import type { PlannedDisk } from './steps/plan-restore.ts';
import { recheckDisks } from './steps/recheck-disks.ts';
import { repairBootEntries } from './steps/repair-boot-entries.ts';
import { finishDisks, restoreDisks } from './steps/restore-disks.ts';
import { applyHooks, restoresSystem, type StationHooks } from './steps/station-hooks.ts';
import type { Machine } from './workflow-machine.ts';

type RecoveringMachine = Pick<
  Machine,
  'takeInventory' | 'bootEntries' | 'openRestoredSystem' | 'readFirstBootFile' | 'now'
>;

export interface RecoverInput {
  readonly run: Run;
  readonly terminal: Terminal;
  readonly machine: RecoveringMachine;
  readonly findings: Findings;
  readonly inventory: Inventory;
  readonly image: SignedImage;
  /** Of this machine with the image's. */
  readonly identity: IdentityAccepted;
  readonly scope: RestoreScope;
  readonly dryRun: boolean;
  readonly by: Confirming;
  /** Device path of the only disk that is to be restored. */
  readonly onlyDisk?: string;
  readonly signal?: AbortSignal;
  /** What follows the restore; absent without a service to ask. */
  readonly hooks?: StationHooks;
  /** Partition of the station's own disk that this recovery was started from. */
  readonly startedFrom?: OwnDiskMedium | undefined;
}

/**
 * From the machine that was found identical to its restored disks, wherever the image comes from: over the network
 * or on the machine itself. Nothing above the line in the middle writes; nothing below it asks.
 */
export async function recoverDisks(
  input: RecoverInput,
): Promise<{ readonly kind: 'dry-run' | 'restored'; readonly planned: readonly PlannedDisk[] }> {
  const { run, terminal, machine, findings, inventory, image, identity, scope, dryRun, by, hooks } = input;
  const chosen = await run.step(chooseTargetDisks, {
    identity,
    imageDisks: image.manifest.disks,
    present: inventory.disks,
  });
  const disks = input.onlyDisk === undefined ? chosen : keepOnlyDisk(chosen, input.onlyDisk);
  const holdingFor = (plan: readonly PlannedDisk[]): string[] =>
    hooks === undefined || !restoresSystem(plan) ? [] : hooksThatHoldStart(hooks.plan, hooks.preflight);
  const networkCards = {
    image: image.passport.networkCards,
    machine: inventory.passport.networkCards,
  };
  const wantsState = hooks === undefined ? undefined : hookWithStoredState(hooks);
  if (hooks !== undefined && wantsState !== undefined)
    await run.step(checkSystemState, { hook: wantsState, hooks, image });
  const planning = await planAndConfirm({
    run,
    terminal,
    image,
    identity,
    disks,
    scope,
    dryRun,
    by,
    hooks: hooks?.preflight ?? [],
    judge(plan) {
      if (hooks === undefined && restoresSystem(plan)) assertNoControllerHookNeeded(image.manifest);
      const holding = holdingFor(plan);
      if (hooks === undefined || holding.length === 0) return;
      assertHoldable(image.manifest.station, plan);
      assertCardsHoldable(image.manifest.station, hooks.plan, holding, networkCards);
    },
    startedFrom: input.startedFrom,
  });
  const { planned } = planning;
  if (planning.kind === 'dry-run') return { kind: 'dry-run', planned };
  const { confirmed } = planning;
  findings.confirmed = confirmed.replacedParts;
  const holding = holdingFor(planned);
  let present = inventory.disks;
  const look = async () => {
    present = (await machine.takeInventory()).disks;
    return present;
  };
  await run.step(recheckDisks, {
    disks,
    planned,
    source: image.source,
    look,
    startedFrom: input.startedFrom,
  });
  await using _lock = await run.step(lockOtherDisks, { present, planned });

  // ------------------------------------------------------------------------------------------------

  findings.wrote = true;
  using stack = new DisposableStack();
  const onDisk = (result: DiskResult) => findings.disks.push(result);
  const restored = await run.step(restoreDisks, {
    confirmed,
    disks,
    planned,
    source: image.source,
    hold: holding.length > 0,
    onDisk,
    stack,
    ...(input.signal === undefined ? {} : { signal: input.signal }),
  });
  const { manifest } = image;
  const follow = async () => {
    if (hooks === undefined) return;
    const missingOf = (each: PlannedDisk) =>
      restored.find(({ planned: other }) => other === each)?.unfinished;
    const held = holding.length > 0 ? missingOf : () => undefined;
    findings.hooks = await run.step(applyHooks, {
      ...{ confirmed, hooks, image, planned, networkCards, held, machine },
    });
  };
  if (holding.length > 0) {
    await follow();
    assertHooksHeld(manifest.station, holding, findings.hooks);
    await run.step(finishDisks, { confirmed, restored, onDisk });
  }
  await run.step(repairBootEntries, { confirmed, manifest, firmware: machine.bootEntries });
  if (holding.length === 0) await follow();
  const inspection = await run.step(inspectRestoredWindows, { manifest, planned, now: () => machine.now() });
  if (inspection !== null) findings.hooks = [...findings.hooks, inspection];
  return { kind: 'restored', planned };
}
