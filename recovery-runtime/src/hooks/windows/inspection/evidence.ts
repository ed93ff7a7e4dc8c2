import type { NtfsCondition } from '#images/capture/ntfs/ntfs-state.ts';
import type { GptCopy } from '#images/format/partition-table/gpt.ts';
import type { Partition, PartitionTable } from '#images/format/partition-table/partition-table.ts';
import type { BootStore } from '../boot/boot-store.ts';
import type { VolumeBootSector } from '../volume/ntfs-boot-sector.ts';
import type { DiskPath } from '../volume/partition-device.ts';
import type { RememberedVolume, WindowsFacts } from './windows-facts.ts';

/** Everything that the inspection saw on the disks; what it means is for checks.ts. */
export interface Evidence {
  readonly disks: readonly DiskEvidence[];
}

export interface DiskEvidence {
  readonly disk: DiskPath;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly table: PartitionTable;
  /** Both copies, with the reason why one is none; null without a GPT. */
  readonly gpt: { readonly primary: GptCopy; readonly backup: GptCopy } | null;
  readonly volumes: readonly VolumeEvidence[];
}

export interface VolumeEvidence {
  readonly partition: Partition;
  readonly bootSector: VolumeBootSector;
  /** Null where it is no NTFS; a sentence's clause where it is not understood. */
  readonly condition: NtfsCondition | { readonly unreadable: string } | null;
  /** Why nothing more is known of it, as a clause. */
  readonly notOpened: string | null;
  readonly bootStore: BootStoreEvidence | null;
  readonly installation: InstallationEvidence | null;
}

export type HiveEvidence =
  | { readonly kind: 'clean' }
  | { readonly kind: 'replayable'; readonly writes: number }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'absent' };

export interface BootStoreEvidence {
  /** Windows path of the BCD on its volume. */
  readonly path: string;
  readonly hive: HiveEvidence;
  readonly store: BootStore | null;
  /** The file that the firmware, or the boot sector, starts. */
  readonly bootManager: { readonly path: string; readonly present: boolean };
}

export interface InstallationEvidence {
  /** `\Windows` */
  readonly systemRoot: string;
  readonly hives: Readonly<Record<SystemHive, HiveEvidence>>;
  /** Null: the hives cannot be read. */
  readonly facts: WindowsFacts | null;
  readonly driveC: RememberedVolume | null;
  /** Of a domain controller: the file, and whether it is on this volume. */
  readonly directory: { readonly path: string; readonly present: boolean } | null;
  /** Files that a boot store names on this volume, by their paths in lower case. */
  readonly loaders: Readonly<Record<string, boolean>>;
}

export const systemHives = ['SYSTEM', 'SOFTWARE', 'SAM', 'SECURITY'] as const;
export type SystemHive = (typeof systemHives)[number];
