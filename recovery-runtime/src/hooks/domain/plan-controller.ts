import type { DomainController } from '#contract/hook-kinds/domain-controller.ts';
import type { PlanLine } from '#contract/hook-result.ts';
import { safeBootPatch } from '../windows/boot/boot-store.ts';
import type { HivePatch } from '../windows/registry/hive-patch.ts';
import { oneControlSetPatch, restoredFromBackupPatch, sysvolFromPartnerPatch } from './controller-patches.ts';
import { type HeldService, holdPatch } from './held-services.ts';
import type { ControllerHive } from './read-controller.ts';
import { type WbadminRecovery, wbadminCommand } from './wbadmin-recovery.ts';

/** What the disk of a controller gets before it starts; a patch that has nothing to change is empty. */
export interface ControllerChange {
  readonly system: HivePatch;
  readonly bootStore: HivePatch;
  /** Drivers of network cards that wait for the proof, and DFSR: both are in `system`. */
  readonly network: readonly HeldService[];
  readonly dfsr: readonly HeldService[];
  readonly lines: readonly PlanLine[];
}

const change = (sentence: string): PlanLine => ({ kind: 'change', sentence });
const person = (sentence: string): PlanLine => ({ kind: 'needs-person', sentence });

/**
 * With a backup it starts in directory services restore mode, and again and again until somebody takes that back:
 * wbadmin restores directory and SYSVOL there, non-authoritative both; the directory does not run there, which is
 * its quarantine. Without one its registry says that its database was restored, its network cards wait until that has
 * been obeyed, and DFSR until the agent has told it to fetch SYSVOL. Pure.
 * @param recovery undefined: there is no backup
 * @param loader identifier in the boot store of what starts it
 */
export function planController(
  { quarantine }: Pick<DomainController, 'quarantine'>,
  recovery: WbadminRecovery | undefined,
  hive: Pick<ControllerHive, 'sysvol' | 'network' | 'dfsr'>,
  place: { readonly controlSet: string; readonly loader: string | null },
): ControllerChange {
  if (recovery !== undefined) {
    if (place.loader === null) throw new RangeError('a boot store without a loader cannot start it in DSRM');
    return {
      system: [],
      network: [],
      dfsr: [],
      bootStore: safeBootPatch(place.loader, 'dsrepair'),
      lines: [
        change(
          'Its boot store starts it in directory services restore mode (safeboot dsrepair), every time.',
        ),
        change(
          `There the agent runs: ${wbadminCommand(recovery)}; then it takes the mode back (bcdedit /deletevalue safeboot).`,
        ),
        person(
          'When nothing arrives from there: log on as its DSRM administrator and do both by hand, the second only after the first has succeeded.',
        ),
      ],
    };
  }
  const frs = hive.sysvol === 'FRS';
  const network = quarantine === 'network-off' ? hive.network : [];
  const dfsr = frs || hive.dfsr === null ? [] : [hive.dfsr];
  return {
    system: [
      ...oneControlSetPatch(place.controlSet),
      ...restoredFromBackupPatch(place.controlSet),
      ...(frs ? sysvolFromPartnerPatch(place.controlSet) : []),
      ...holdPatch(place.controlSet, [...network, ...dfsr]),
    ],
    network,
    dfsr,
    bootStore: [],
    lines: [
      change(
        `"Database restored from backup" is set to 1 in its registry (${place.controlSet}; "last known good" starts the same one).`,
      ),
      frs
        ? change('FRS takes SYSVOL from a partner at its first start (BurFlags D2).')
        : hive.dfsr === null
          ? person('DFSR is switched off in its registry: nothing takes SYSVOL from a partner.')
          : change(
              'DFSR waits; the agent switches its SYSVOL subscription off and on again, so that it takes SYSVOL from a partner.',
            ),
      quarantineLine(quarantine, network),
    ],
  };
}

/**
 * Why it cannot be kept off the network as the plan wants it; undefined: it can. Pure.
 */
export function cannotBeHeld(
  { systemState, quarantine }: Pick<DomainController, 'systemState' | 'quarantine'>,
  { network, unknownDrivers }: Pick<ControllerHive, 'network' | 'unknownDrivers'>,
): string | undefined {
  if (systemState.from !== 'restored-from-backup-value' || quarantine === 'by-hand') return undefined;
  if (unknownDrivers.length > 0)
    return `the driver of a network card has a name that cannot be held back (${unknownDrivers.join(', ')})`;
  return network.length === 0 ? 'its registry names no driver of a network card that starts' : undefined;
}

function quarantineLine(
  quarantine: DomainController['quarantine'],
  network: readonly HeldService[],
): PlanLine {
  if (quarantine === 'by-hand') {
    return person(
      'Quarantine: pull its network cables now, and plug them in when its Directory Service log shows event 1109.',
    );
  }
  const drivers = network.map(({ service }) => service).join(', ');
  return change(
    `Its network cards (${drivers}) do not start until the agent has seen that its directory was renewed.`,
  );
}
