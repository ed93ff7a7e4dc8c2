import type { BootLoader } from './windows/boot/boot-store.ts';
import type { SystemHive } from './windows/inspection/evidence.ts';
import type { WindowsFacts } from './windows/inspection/windows-facts.ts';
import type { HivePatch } from './windows/registry/hive-patch.ts';
import type { Hive } from './windows/registry/open-hive.ts';
import type { HiveChange } from './windows/registry/stored-hive.ts';
import type { DiskPath } from './windows/volume/partition-device.ts';

/** The operating system on the restored disks, as the offline hooks get at it. */
export type RestoredSystem = LinuxSystem | WindowsSystem | UnknownSystem;

export interface LinuxSystem {
  readonly kind: 'linux';
  /** Its root file system is mounted here, for writing. */
  readonly root: string;
}

export interface WindowsSystem {
  readonly kind: 'windows';
  /** Its system volume is mounted here, for writing; another folder after `remount`. */
  readonly root: string;
  /** `\Windows` */
  readonly systemRoot: string;
  /** Of the SYSTEM hive, in use: `ControlSet001`. */
  readonly controlSet: string;
  readonly facts: WindowsFacts | null;
  /** What had to be done before it could be written to, a sentence each. */
  readonly remarks: readonly string[];
  /** Looks into the stored hive, what its logs hold included; the hive is closed afterwards. */
  readHive<T>(name: SystemHive, look: (hive: Hive) => T): Promise<T>;
  /** Replays the hive's logs, then makes it as the patch wants it; the original stays beside it. Twice is like once. */
  changeHive(name: SystemHive, patch: HivePatch): Promise<HiveChange>;
  /** What the stored hive lacks of the patch; empty: it is as it should be. */
  missingInHive(name: SystemHive, patch: HivePatch): Promise<string[]>;
  /** What the boot store starts when nobody chooses; null without one. */
  readonly loader: BootLoader | null;
  changeBootStore(patch: HivePatch): Promise<HiveChange>;
  missingInBootStore(patch: HivePatch): Promise<string[]>;
  /**
   * A drive by its letter in this Windows, for writing. The system volume is mounted already and stays so.
   * @throws RekindleError `verification-failed`: no restored disk has it, or it must not be written to
   */
  openDrive(letter: string): Promise<OpenDrive>;
  /** Unmounts, so that everything is on the disk, and mounts again: before `verify` looks. */
  remount(): Promise<void>;
}

/** Everything is on its disk when it was closed. */
export interface OpenDrive extends AsyncDisposable {
  /** It is mounted here. */
  readonly root: string;
  readonly disk: DiskPath;
}

export interface UnknownSystem {
  readonly kind: 'unknown';
  /** Why nothing was mounted: encrypted, hibernated, no system found. */
  readonly reason: string;
}
