import type { HivePatch } from '../windows/registry/hive-patch.ts';

/**
 * What is set in the SYSTEM hive of a domain controller's image before it starts. Names and values are Microsoft's:
 * restore-virtualized-domain-controller (windowsserverdocs), KB 290762 (FRS), KB 2218556 (DFSR).
 */

/** Where the directory service keeps its settings; every controller has this key. */
export const directoryKey = (controlSet: string): string => `${controlSet}\\Services\\NTDS\\Parameters`;

export const directoryValues = {
  /** Its database file: `C:\Windows\NTDS\ntds.dit`. */
  database: 'DSA Database file',
  /** DWORD 1: at its next normal start the directory takes a new invocationId. */
  restoredFromBackup: 'Database restored from backup',
  /** DWORD, counted up by Windows when it did so; absent is 0. Nobody else writes it. */
  restoreCount: 'DSA Previous Restore Count',
  /** There when Windows itself has found a USN rollback: this directory is lost. */
  notWritable: 'Dsa Not Writable',
} as const;

export const restoredFromBackupPatch = (controlSet: string): HivePatch => [
  {
    kind: 'value',
    key: directoryKey(controlSet),
    name: directoryValues.restoredFromBackup,
    value: { type: 'dword', value: 1 },
  },
];

/**
 * Which control set Windows starts is chosen in this key: `Default`, or `LastKnownGood` when somebody asks for that.
 * Both become the one that is changed here: another one would start the controller as the image has it.
 */
export const oneControlSetPatch = (controlSet: string): HivePatch =>
  ['Default', 'LastKnownGood'].map((name) => ({
    kind: 'value',
    key: 'Select',
    name,
    value: { type: 'dword', value: Number(controlSet.replace(/^ControlSet/, '')) },
  }));

/** The service that replicates SYSVOL when DFSR has not taken over. */
export const frsService = (controlSet: string): string => `${controlSet}\\Services\\NtFrs`;

/** How far SYSVOL has gone from FRS to DFSR: DWORD; Microsoft's documents write its name both ways. */
export const migrationKey = (controlSet: string): string =>
  `${controlSet}\\Services\\DFSR\\Parameters\\SysVols\\Migrating SysVols`;
export const migrationValues = ['Local State', 'LocalState'] as const;
/** ELIMINATED: FRS has no part in it any more. */
export const migrationEnded = 3;

/** BurFlags D2: FRS takes all of SYSVOL from a partner at its next start, and clears the value. */
export const sysvolFromPartnerPatch = (controlSet: string): HivePatch => [
  {
    kind: 'value',
    key: `${frsService(controlSet)}\\Parameters\\Backup/Restore\\Process at Startup`,
    name: 'BurFlags',
    value: { type: 'dword', value: 0xd2 },
  },
];
