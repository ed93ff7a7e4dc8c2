/** The operating system on the restored disks, as the offline hooks get at it. */
export type RestoredSystem = LinuxSystem | WindowsSystem | UnknownSystem;

export interface LinuxSystem {
  readonly kind: 'linux';
  /** Its root file system is mounted here, for writing. */
  readonly root: string;
}

export interface WindowsSystem {
  readonly kind: 'windows';
  /** Its system volume is mounted here, for writing. */
  readonly root: string;
}

export interface UnknownSystem {
  readonly kind: 'unknown';
  /** Why nothing was mounted: encrypted, hibernated, no system found. */
  readonly reason: string;
}
