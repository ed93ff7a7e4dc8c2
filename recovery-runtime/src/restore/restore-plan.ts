import type { ByteRange } from '#images/format/chunk-grid.ts';
import type { DiskIndex } from '#images/format/disk-index.ts';
import type { Volume } from '#images/format/image-manifest.ts';
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
  /** Partitions, by number, whose own restore did not come to its end. */
  readonly halfRestored: readonly number[];
  /** File systems that lie where the image has its data volumes, by volume number; looked for when there is no table. */
  readonly fileSystems?: ReadonlyMap<number, string>;
}

export interface PlannedRange extends ByteRange {
  readonly kind: 'volume' | 'space';
  /** e.g. `partition 2 "root" (ext4)`, `partition table`, `space between partitions` */
  readonly what: string;
  /** Why it is restored or kept, for the technician. */
  readonly reason: string;
}

/** Blocks that make a disk or a volume look complete: cleared first, written last. */
export interface HeldBackHead {
  readonly startByte: number;
  readonly chunks: readonly number[];
  /** The note of an interrupted restore has room in it. */
  readonly hasNote: boolean;
}

export interface RestorePlan {
  readonly kind: 'restore';
  readonly diskNumber: number;
  readonly target: { readonly sizeBytes: number; readonly logicalSectorBytes: number };
  readonly index: DiskIndex;
  /** `disk`: table, gaps and volumes. `volumes`: nothing outside of them, the table least of all. */
  readonly extent: 'disk' | 'volumes';
  /** How the disk was recognised as the one that the data volumes are on; null for a new disk. */
  readonly survivedBy: 'registered-disk' | 'data-partition' | 'interrupted-restore' | null;
  readonly restored: readonly PlannedRange[];
  readonly kept: readonly PlannedRange[];
  /** Data volumes that are on the disk now and are overwritten all the same, because that was asked for. */
  readonly overwrittenData: readonly PlannedRange[];
  /** What the person has to know beside the ranges, a sentence each. */
  readonly warnings: readonly string[];
  /** Numbers of the index's chunks that worker threads restore, ascending. */
  readonly chunks: Uint32Array;
  /** One head at byte 0 for a whole disk, one for each volume otherwise; the tail lies around the disk's end. */
  readonly heldBack: { readonly heads: readonly HeldBackHead[]; readonly tail: readonly number[] };
  /** The GPT for a target of another size; null when the image's own bytes fit. */
  readonly relocated: RelocatedGpt | null;
  /** Start of the image's backup GPT, which a relocated one replaces. */
  readonly backupStartByte: number | null;
  /** One of the kept partitions holds what this recovery was started from, and is mounted (read-only). */
  readonly besideMedium?: true;
  /** Bytes of `chunks` and `heldBack` together: the work of one pass. */
  readonly totalBytes: number;
}

export interface RestoreRefused {
  readonly kind: 'refused';
  readonly reason: 'too-small' | 'sector-size' | 'ambiguous-layout' | 'table-differs' | 'unusable-image';
  readonly sentence: string;
  readonly next: string;
  /** Exact, for `too-small`. */
  readonly shortfallBytes?: number;
}

/**
 * The station's own disk, without a table, and where these data volumes were nothing is recognised any more. Only
 * a person can say whether their ranges are left as they are or come from the image.
 */
export interface DataVolumesLost {
  readonly kind: 'data-lost';
  readonly volumes: readonly Volume[];
  readonly sentence: string;
}

export type RestoreDecision = RestorePlan | RestoreRefused | DataVolumesLost;
