import type { WindowsSystem } from '../restored-system.ts';
import {
  directoryKey,
  directoryValues,
  frsService,
  migrationEnded,
  migrationKey,
  migrationValues,
} from './controller-patches.ts';
import { type HeldService, readNetworkDrivers, readStart } from './held-services.ts';

/** What the SYSTEM hive of a restored Windows says of its directory service. */
export interface ControllerHive {
  /** `C:\Windows\NTDS\ntds.dit`; null: it has no directory. */
  readonly database: string | null;
  readonly restoreCount: number;
  /** Windows has found a USN rollback in it before. */
  readonly notWritable: boolean;
  /** Which service replicates SYSVOL. */
  readonly sysvol: 'FRS' | 'DFSR';
  /** Drivers of its network cards, as the image has them. */
  readonly network: readonly HeldService[];
  /** Drivers that cannot be held back, by name. */
  readonly unknownDrivers: readonly string[];
  /** Null: there is no such service, or it is switched off. */
  readonly dfsr: HeldService | null;
}

/** Reads only. */
export async function readController(system: WindowsSystem): Promise<ControllerHive> {
  const { controlSet } = system;
  return await system.readHive('SYSTEM', (hive) => {
    const own = (name: string) => hive.read(directoryKey(controlSet), name);
    const database = own(directoryValues.database);
    const count = own(directoryValues.restoreCount);
    const migrated = migrationValues.some((name) => {
      const state = hive.read(migrationKey(controlSet), name);
      return state?.type === 'dword' && state.value === migrationEnded;
    });
    const drivers = readNetworkDrivers(hive, controlSet);
    return {
      database: database !== null && typeof database.value === 'string' ? database.value : null,
      restoreCount: count?.type === 'dword' ? count.value : 0,
      notWritable: own(directoryValues.notWritable) !== null,
      sysvol: !migrated && hive.hasKey(frsService(controlSet)) ? 'FRS' : 'DFSR',
      network: drivers.held,
      unknownDrivers: drivers.unknown,
      dfsr: readStart(hive, controlSet, 'DFSR'),
    };
  });
}
