import type { SystemState } from '#contract/hook-kinds/domain-controller.ts';
import type { PlanLine } from '#contract/hook-result.ts';
import { safeBootPatch } from '../windows/boot/boot-store.ts';
import type { HivePatch } from '../windows/registry/hive-patch.ts';
import { restoredFromBackupPatch, sysvolFromPartnerPatch } from './controller-patches.ts';
import type { ControllerHive } from './read-controller.ts';

/** What the disk of a controller gets before it starts; a patch that has nothing to change is empty. */
export interface ControllerChange {
  readonly system: HivePatch;
  readonly bootStore: HivePatch;
  readonly lines: readonly PlanLine[];
}

const change = (sentence: string): PlanLine => ({ kind: 'change', sentence });
const person = (sentence: string): PlanLine => ({ kind: 'needs-person', sentence });

/**
 * With a backup it starts in directory services restore mode, and again and again until somebody takes that back:
 * wbadmin restores directory and SYSVOL there, non-authoritative both. Without one its registry says that its
 * database was restored. Pure.
 * @param loader identifier in the boot store of what starts it
 */
export function planController(
  state: SystemState,
  hive: Pick<ControllerHive, 'sysvol'>,
  place: { readonly controlSet: string; readonly loader: string | null },
): ControllerChange {
  if (state.from === 'backup') {
    const wbadmin = `wbadmin start systemstaterecovery -version:${state.version} -backupTarget:${state.target} -quiet`;
    if (place.loader === null) throw new RangeError('a boot store without a loader cannot start it in DSRM');
    return {
      system: [],
      bootStore: safeBootPatch(place.loader, 'dsrepair'),
      lines: [
        change(
          'Its boot store starts it in directory services restore mode (safeboot dsrepair), every time.',
        ),
        change(
          `There the agent runs: ${wbadmin}; then it takes the mode back (bcdedit /deletevalue safeboot).`,
        ),
        person(
          'When nothing arrives from there: log on as its DSRM administrator and do both by hand, the second only after the first has succeeded.',
        ),
      ],
    };
  }
  const frs = hive.sysvol === 'FRS';
  return {
    system: [
      ...restoredFromBackupPatch(place.controlSet),
      ...(frs ? sysvolFromPartnerPatch(place.controlSet) : []),
    ],
    bootStore: [],
    lines: [
      change('"Database restored from backup" is set to 1 in its registry.'),
      frs
        ? change('FRS takes SYSVOL from a partner at its first start (BurFlags D2).')
        : person(
            'SYSVOL (DFSR) from a partner, after event 1109: msDFSR-Enabled FALSE on its SYSVOL subscription, dfsrdiag pollad, event 4114; then TRUE, pollad, events 4614 and 4604.',
          ),
    ],
  };
}
