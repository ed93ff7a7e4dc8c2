import { soleController } from '#contract/domain-files.ts';
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
import { formatLiftScript, liftScriptFile } from './held-services.ts';
import { controllerEvidence, judgeControllerImage, verdictOf } from './judge-controller-image.ts';
import { type ControllerChange, cannotBeHeld, planController } from './plan-controller.ts';
import { type ControllerHive, readController } from './read-controller.ts';
import { quarantineByHand, replacedCardsProblem } from './replaced-cards.ts';

type Context = OfflineContext<'domain-controller'>;

/**
 * Before a controller that has partners starts: its disk is changed so that it never comes up normally with the
 * update sequence numbers of its image. Read back after an unmount; what Windows makes of it, only Windows shows.
 */
const offline: HookWork<Context, ControllerChange & { readonly hive: ControllerHive }> = {
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
    if (judged.kind === 'ready' && hook.systemState.from === 'backup' && system.loader === null)
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
  async plan({ hook, system }) {
    const windows = windowsOf(system);
    const hive = await readController(windows);
    const { controlSet } = windows;
    const planned = planController(hook, hive, {
      controlSet,
      loader: windows.loader?.identifier ?? null,
    });
    const evidence = [...controllerEvidence(hive), { name: 'control set', value: controlSet }];
    return { planned: { ...planned, hive }, lines: planned.lines, evidence };
  },
  async apply({ hook, manifest, system, stage, readFirstBootFile }, change) {
    const { system: hive, bootStore, network, dfsr } = change;
    const windows = windowsOf(system);
    if (hive.length > 0) await windows.changeHive('SYSTEM', hive);
    if (bootStore.length > 0) await windows.changeBootStore(bootStore);
    await windows.remount();
    stage.addFile({
      name: controllerStepFile,
      bytes: Buffer.from(formatControllerStep(hook.systemState)),
      executable: true,
    });
    const { restoreCount, sysvol } = change.hive;
    const settings = formatControllerSettings({
      restoreCountBefore: hook.systemState.from === 'backup' ? undefined : restoreCount,
      invocationId: manifest.domainController?.invocationId,
      // wbadmin restores SYSVOL with the system state; a DFSR that is switched off fetches nothing.
      sysvol:
        hook.systemState.from === 'backup' || (sysvol === 'DFSR' && dfsr.length === 0) ? undefined : sysvol,
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
      timeoutSeconds:
        hook.systemState.from === 'backup' ? wbadminSeconds : Math.max(lookSeconds, hook.timeoutSeconds),
    });
  },
  async verify({ hook, system }, { system: hive, bootStore, network }) {
    const windows = windowsOf(system);
    const missing = [
      ...(hive.length > 0 ? await windows.missingInHive('SYSTEM', hive) : []),
      ...(bootStore.length > 0 ? await windows.missingInBootStore(bootStore) : []),
    ];
    const evidence = missing.map((value) => ({ name: 'missing', value }));
    if (missing.length === 0)
      return {
        result: seenOf(
          hook.systemState.from,
          network.map(({ service }) => service),
        ),
        evidence,
      };
    const sentence = `Read back, its disk lacks ${missing.join(', ')}.`;
    return { result: { outcome: 'failed', sentence, next: doNotStart }, evidence };
  },
};

export const domainController: OfflineHook<'domain-controller'> = { kind: 'domain-controller', offline };

const doNotStart =
  'Do not start this disk: changes would be lost (USN rollback). Start the restore again, or install a new controller beside the living ones.';

const refuse = (sentence: string): Precondition => ({ kind: 'refuse', sentence, next: doNotStart });

function seenOf(from: Context['hook']['systemState']['from'], network: readonly string[]): HookResult {
  const quarantine =
    network.length === 0 ? '' : ` Until then its network cards (${network.join(', ')}) do not start.`;
  return {
    outcome: 'staged',
    sentence:
      from === 'backup'
        ? 'It starts in directory services restore mode only, as its boot store says; wbadmin restores its state there.'
        : `"Database restored from backup" stands in its registry; event 1109 after its first start shows that Windows has obeyed.${quarantine}`,
  };
}

function windowsOf(system: Context['system']): WindowsSystem {
  if (system.kind === 'windows') return system;
  throw new RangeError('the precondition let through a system that is no Windows');
}
