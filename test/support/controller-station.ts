import { systemStateEvidence, verdictEvidence } from '#contract/domain-files.ts';
import { type HookPlan, hookPlanSchema } from '#contract/hook.ts';
import type { DomainController } from '#contract/hook-kinds/domain-controller.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import {
  placeOf,
  someIdentity,
  stationDisk,
  type WindowsStation,
  windowsStation,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';

/** A domain controller that has the shape of Windows, its hook plan, and what its preflight has seen. */

export const controllerName = 'DC-1';
export const controllerIdentity = {
  ...someIdentity,
  computerName: controllerName,
  productType: 'LanmanNT',
  sqlInstances: [],
  drives: { 'D:': placeOf(stationDisk.projects) },
} as const;
export const controllerStation = (): WindowsStation => windowsStation(controllerIdentity);

export const lastResort: DomainController['systemState'] = {
  from: 'restored-from-backup-value',
  accepted: 'not supported by Microsoft',
};
export const wbadminBackup: DomainController['systemState'] = {
  from: 'backup',
  version: '11/20/2026-02:00',
  target: 'E:',
};

/** The newest of the store, onto its second volume. */
export const storedBackup: DomainController['systemState'] = {
  from: 'backup-in-store',
  version: 'latest',
  drive: 'D:',
};

export function controllerPlan(
  systemState: DomainController['systemState'] = lastResort,
  quarantine: DomainController['quarantine'] = 'network-off',
): HookPlan {
  return hookPlanSchema.parse({
    station: controllerName,
    stationRole: 'domain-controller',
    hooks: [
      {
        id: 'state',
        kind: 'domain-controller',
        systemState,
        quarantine,
        directory: {
          domain: 'plant.example',
          controllers: ['dc2.plant.example'],
          ca: 'plant-ca.pem',
          account: 'svc-rejoin',
          passwordFile: 'keys/svc-rejoin.password',
        },
      },
    ],
  });
}

/**
 * As the service answers after it has asked the directory.
 * @param systemState STATION@<UTC time> of the one in the store that it has chosen
 */
export function controllerPreflight(verdict = 'state-hook-required', systemState?: string): HookRecord {
  return {
    hook: 'state',
    kind: 'domain-controller',
    phase: 'preflight',
    title: 'State of a controller of plant.example',
    plan: [],
    result: { outcome: 'done', sentence: 'It has to get a new invocationId before it starts normally.' },
    evidence: [
      { name: verdictEvidence, value: verdict },
      ...(systemState === undefined ? [] : [{ name: systemStateEvidence, value: systemState }]),
    ],
    startedAt: '2026-11-27T20:00:00Z',
    seconds: 1,
  };
}
