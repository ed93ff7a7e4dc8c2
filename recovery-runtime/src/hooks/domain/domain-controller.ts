import { soleController } from '#contract/domain-files.ts';
import { isByWbadmin } from '#contract/hook-kinds/domain-controller.ts';
import type { HookResult } from '#contract/hook-result.ts';
import type { HookWork, Precondition } from '#contract/hook-work.ts';
import type { OfflineContext, OfflineHook } from '../offline-hook.ts';
import type { WindowsSystem } from '../restored-system.ts';
import {
  controllerProgramFile,
  controllerRetrySeconds,
  controllerSettingsFile,
  controllerStepFile,
  controllerTries,
  formatControllerSettings,
  formatControllerStep,
  lookSeconds,
  wbadminSeconds,
} from './controller-step.ts';
import { backupName } from './copied-state.ts';
import { formatLiftScript, liftScriptFile } from './held-services.ts';
import { controllerEvidence, judgeControllerImage, verdictOf } from './judge-controller-image.ts';
import { type ControllerChange, cannotBeHeld, planController } from './plan-controller.ts';
import { type ControllerHive, readController } from './read-controller.ts';
import { quarantineByHand, replacedCardsProblem } from './replaced-cards.ts';
import {
  copyToDrive,
  missingOnDrive,
  readStoredState,
  type StoredState,
  storedStateEvidence,
  storedStateLines,
} from './stored-state.ts';
import type { WbadminRecovery } from './wbadmin-recovery.ts';

type Context = OfflineContext<'domain-controller'>;

interface Planned extends ControllerChange {
  readonly hive: ControllerHive;
  /** Of the store. */
  readonly state: StoredState | undefined;
  readonly recovery: WbadminRecovery | undefined;
}

/**
 * Before a controller that has partners starts: its disk is changed so that it never comes up normally with the
 * update sequence numbers of its image. Read back after an unmount; what Windows makes of it, only Windows shows.
 */
const offline: HookWork<Context, Planned> = {
  async precondition({ hook, manifest, earlier, system, networkCards }) {
    if (verdictOf({ hook, earlier }) === soleController)
      return { kind: 'skip', reason: 'It is the only controller of its forest: nothing can roll back.' };
    if (system.kind !== 'windows') {
      return refuse(
        `The registry of the domain controller cannot be reached: ${
          system.kind === 'linux' ? 'the restored system is a Linux' : system.reason
        }.`,
      );
    }
    const hive = await readController(system);
    const judged = judgeControllerImage({ hook, manifest, earlier, windows: system.facts, hive });
    if (judged.kind === 'refuse') return { ...judged, evidence: controllerEvidence(hive) };
    if (judged.kind === 'ready' && isByWbadmin(hook.systemState) && system.loader === null)
      return refuse('No boot store says what starts it: directory services restore mode cannot be set.');
    const why =
      judged.kind === 'ready'
        ? (replacedCardsProblem(hook, networkCards) ?? cannotBeHeld(hook, hive))
        : undefined;
    if (why === undefined) return judged;
    return {
      kind: 'refuse',
      sentence: `It cannot be kept off the network until it has proved itself: ${why}.`,
      next: quarantineByHand,
      evidence: controllerEvidence(hive),
    };
  },
  async plan(context) {
    const { hook, system } = context;
    const windows = windowsOf(system);
    const hive = await readController(windows);
    const { controlSet } = windows;
    const state = await readStoredState(context);
    const recovery = recoveryOf(hook.systemState, state);
    const loader = windows.loader?.identifier ?? null;
    const planned = planController(hook, recovery, hive, { controlSet, loader });
    return {
      planned: { ...planned, hive, state, recovery },
      lines: [...(state === undefined ? [] : storedStateLines(state)), ...planned.lines],
      evidence: [
        ...controllerEvidence(hive),
        { name: 'control set', value: controlSet },
        ...(state === undefined ? [] : storedStateEvidence(state)),
      ],
    };
  },
  async apply(context, change) {
    const { hook, manifest, system, stage, readFirstBootFile } = context;
    const { system: hive, bootStore, network, dfsr, state, recovery } = change;
    const windows = windowsOf(system);
    // First: it is what may fail, and a controller in that mode without its backup would be of no use.
    if (state !== undefined) await copyToDrive(windows, state, context);
    if (hive.length > 0) await windows.changeHive('SYSTEM', hive);
    if (bootStore.length > 0) await windows.changeBootStore(bootStore);
    await windows.remount();
    stage.addFile({
      name: controllerStepFile,
      bytes: Buffer.from(formatControllerStep(recovery)),
      executable: true,
    });
    const { restoreCount, sysvol } = change.hive;
    const settings = formatControllerSettings({
      restoreCountBefore: recovery === undefined ? restoreCount : undefined,
      invocationId: manifest.domainController?.invocationId,
      // wbadmin restores SYSVOL with the system state; a DFSR that is switched off fetches nothing.
      sysvol: recovery !== undefined || (sysvol === 'DFSR' && dfsr.length === 0) ? undefined : sysvol,
      network,
      dfsr,
    });
    stage.addFile({ name: controllerSettingsFile, bytes: Buffer.from(settings, 'latin1') });
    stage.addFile({ name: controllerProgramFile, bytes: await readFirstBootFile('windows/controller.js') });
    if (network.length + dfsr.length > 0) {
      const script = formatLiftScript([...network, ...dfsr]);
      stage.addFile({ name: liftScriptFile, bytes: Buffer.from(script, 'latin1'), executable: true });
    }
    stage.addStep({
      command: controllerStepFile,
      retrySeconds: controllerRetrySeconds,
      tries: controllerTries,
      timeoutSeconds: recovery === undefined ? Math.max(lookSeconds, hook.timeoutSeconds) : wbadminSeconds,
    });
  },
  async verify(context, { system: hive, bootStore, network, state, recovery }) {
    const windows = windowsOf(context.system);
    const missing = [
      ...(state === undefined ? [] : await missingOnDrive(windows, state, context)),
      ...(hive.length > 0 ? await windows.missingInHive('SYSTEM', hive) : []),
      ...(bootStore.length > 0 ? await windows.missingInBootStore(bootStore) : []),
    ];
    const evidence = missing.map((value) => ({ name: 'missing', value }));
    if (missing.length === 0)
      return {
        result: seenOf(
          recovery,
          network.map(({ service }) => service),
        ),
        evidence,
      };
    const sentence = `Read back, its disk lacks ${listed(missing)}.`;
    return { result: { outcome: 'failed', sentence, next: doNotStart }, evidence };
  },
};

export const domainController: OfflineHook<'domain-controller'> = { kind: 'domain-controller', offline };

const doNotStart =
  'Do not start this disk: changes would be lost (USN rollback). Start the restore again, or install a new controller beside the living ones.';

const refuse = (sentence: string): Precondition => ({ kind: 'refuse', sentence, next: doNotStart });

/** A copy has many files. */
function listed(missing: readonly string[]): string {
  const rest = missing.length - 5;
  return `${missing.slice(0, 5).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function recoveryOf(
  systemState: Context['hook']['systemState'],
  state: StoredState | undefined,
): WbadminRecovery | undefined {
  if (systemState.from === 'backup') return { ...systemState, copied: undefined };
  if (state === undefined) return undefined;
  const { version, computerName, takenAt } = state.manifest;
  return { version, target: state.drive, copied: { computer: computerName, backup: backupName(takenAt) } };
}

function seenOf(recovery: WbadminRecovery | undefined, network: readonly string[]): HookResult {
  const quarantine =
    network.length === 0 ? '' : ` Until then its network cards (${network.join(', ')}) do not start.`;
  return {
    outcome: 'staged',
    sentence:
      recovery !== undefined
        ? `It starts in directory services restore mode only, as its boot store says; wbadmin restores its state there, from ${recovery.target}.`
        : `"Database restored from backup" stands in its registry; event 1109 after its first start shows that Windows has obeyed.${quarantine}`,
  };
}

function windowsOf(system: Context['system']): WindowsSystem {
  if (system.kind === 'windows') return system;
  throw new RangeError('the precondition let through a system that is no Windows');
}
