import type { ByteRange } from '#images/format/chunk-grid.ts';
import type { DiskIndex } from '#images/format/disk-index.ts';
import type { PartitionTable } from '#images/format/partition-table/partition-table.ts';
import type { RelocatedGpt } from '#images/format/partition-table/relocate-backup-gpt.ts';
import type { InterruptedRestore } from './interrupted-restore.ts';

/** What `planRestore` has to know about the disk in the machine. */
export interface TargetDisk {
  readonly sizeBytes: number;
  readonly logicalSectorBytes: number;
  /** WWN or serial number are those of the station's registered disk. */
  readonly isRegisteredDisk: boolean;
  /** The table that is on it now. */
  readonly table: PartitionTable;
  /** Left by a restore that did not come to its end. */
  readonly interrupted: InterruptedRestore | null;
}

export interface PlannedRange extends ByteRange {
  readonly kind: 'volume' | 'space';
  /** e.g. `partition 2 "root" (ext4)`, `partition table`, `space between partitions` */
  readonly what: string;
  /** Why it is restored or kept, for the technician. */
  readonly reason: string;
}

export interface RestorePlan {
  readonly kind: 'restore';
  readonly diskNumber: number;
  readonly target: { readonly sizeBytes: number; readonly logicalSectorBytes: number };
  readonly index: DiskIndex;
  /** How the disk was recognised as the one that the data volumes are on; null for a new disk. */
  readonly survivedBy: 'registered-disk' | 'data-partition' | 'interrupted-restore' | null;
  readonly restored: readonly PlannedRange[];
  readonly kept: readonly PlannedRange[];
  /** Numbers of the index's chunks that worker threads restore, ascending. */
  readonly chunks: Uint32Array;
  /** Chunks that make a disk bootable: cleared first, written last. */
  readonly heldBack: { readonly head: readonly number[]; readonly tail: readonly number[] };
  /** The GPT for a target of another size; null when the image's own bytes fit. */
  readonly relocated: RelocatedGpt | null;
  /** Start of the image's backup GPT, which a relocated one replaces. */
  readonly backupStartByte: number | null;
  /** Bytes of `chunks` and `heldBack` together: the work of one pass. */
  readonly totalBytes: number;
}

export interface RestoreRefused {
  readonly kind: 'refused';
  readonly reason: 'too-small' | 'sector-size' | 'ambiguous-layout' | 'unusable-image';
  readonly sentence: string;
  readonly next: string;
  /** Exact, for `too-small`. */
  readonly shortfallBytes?: number;
}
