import type { HivePatch } from '../windows/registry/hive-patch.ts';
import type { Hive } from '../windows/registry/open-hive.ts';

/**
 * Services that a restored controller does not start before its directory was renewed: the drivers of its network
 * cards (quarantine), and DFSR. Windows starts no driver whose `Start` is 4; the device shows code 32 then. The agent
 * puts the numbers back; a person can, with the script beside it.
 */
export interface HeldService {
  /** Key below Services. */
  readonly service: string;
  /** `Start` as the image has it: 0 boot, 1 system, 2 automatic, 3 on demand (winnt.h). */
  readonly start: number;
}

const disabled = 4;
/** Setup class of network adapters (devguid.h, GUID_DEVCLASS_NET). */
const networkClass = '{4d36e972-e325-11ce-bfc1-08002be10318}';
/** Enumerators of devices without hardware: their drivers reach no wire by themselves. */
const softwareEnumerators = ['ROOT', 'SWD', 'SW', 'HTREE', 'STORAGE'];
/** What may stand in a batch file and a settings line as it is. */
const plainName = /^[A-Za-z0-9_.-]{1,128}$/;

const marksKey = (controlSet: string): string => `${controlSet}\\Control\\RekindleHeld`;
const serviceKey = (controlSet: string, service: string): string => `${controlSet}\\Services\\${service}`;

/** `Start` before we changed it; null: no such service, or the image itself has it switched off. */
export function readStart(hive: Hive, controlSet: string, service: string): HeldService | null {
  const marked = hive.read(marksKey(controlSet), service);
  if (marked?.type === 'dword') return { service, start: marked.value };
  const start = hive.read(serviceKey(controlSet, service), 'Start');
  return start?.type === 'dword' && start.value !== disabled ? { service, start: start.value } : null;
}

/** Drivers of every network card that this Windows knows, each once; `unknown` are those that cannot be held. */
export function readNetworkDrivers(
  hive: Hive,
  controlSet: string,
): { readonly held: readonly HeldService[]; readonly unknown: readonly string[] } {
  const names = new Set<string>();
  const root = `${controlSet}\\Enum`;
  for (const enumerator of hive.listKeys(root)) {
    if (softwareEnumerators.includes(enumerator.toUpperCase())) continue;
    for (const device of hive.listKeys(`${root}\\${enumerator}`)) {
      for (const instance of hive.listKeys(`${root}\\${enumerator}\\${device}`)) {
        const key = `${root}\\${enumerator}\\${device}\\${instance}`;
        if (text(hive, key, 'ClassGUID').toLowerCase() !== networkClass) continue;
        const service = text(hive, key, 'Service');
        if (service !== '') names.add(service);
      }
    }
  }
  const sorted = [...names].sort();
  return {
    held: sorted
      .filter((name) => plainName.test(name))
      .flatMap((name) => readStart(hive, controlSet, name) ?? []),
    unknown: sorted.filter((name) => !plainName.test(name)),
  };
}

function text(hive: Hive, key: string, name: string): string {
  const value = hive.read(key, name);
  return value?.type === 'string' || value?.type === 'expand-string' ? value.value : '';
}

/** The number that each had is written down in the same hive: applied twice, it is still that of the image. */
export const holdPatch = (controlSet: string, services: readonly HeldService[]): HivePatch =>
  services.flatMap(({ service, start }) => [
    { kind: 'value', key: marksKey(controlSet), name: service, value: { type: 'dword', value: start } },
    {
      kind: 'value',
      key: serviceKey(controlSet, service),
      name: 'Start',
      value: { type: 'dword', value: disabled },
    },
  ]);

export const liftScriptFile = 'lift-quarantine.cmd';

/** For a person, as an administrator of the controller: all that is held starts again, whatever the agent has done. */
export function formatLiftScript(services: readonly HeldService[]): string {
  const hive = 'HKLM\\SYSTEM\\CurrentControlSet\\Services';
  return [
    '@echo off',
    'rem Lets the network cards and DFS Replication of this restored domain controller start again.',
    'rem Only when its Directory Service log shows event 1109 and no event 2095: otherwise the domain loses changes.',
    ...services.flatMap(({ service, start }) => [
      `reg add "${hive}\\${service}" /v Start /t REG_DWORD /d ${start} /f`,
      'if errorlevel 1 exit /b 1',
    ]),
    'reg delete "HKLM\\SYSTEM\\CurrentControlSet\\Control\\RekindleHeld" /f >nul 2>nul',
    'echo Restart Windows now. SYSVOL by DFSR has to be taken from a partner by hand then: KB 2218556.',
    '',
  ].join('\r\n');
}
