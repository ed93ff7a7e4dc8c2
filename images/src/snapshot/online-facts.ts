/** What an online capture has to know of the running system before it changes anything. Bytes everywhere. */
export interface OnlineFacts {
  readonly disk: { readonly path: string; readonly sizeBytes: number };
  /** Partitions of the disk, or the disk itself where something uses it whole. */
  readonly places: readonly Place[];
  readonly mounts: readonly Mount[];
  /** Devices that are used as swap. */
  readonly swaps: readonly string[];
  readonly physicalVolumes: readonly PhysicalVolume[];
  readonly segments: readonly Segment[];
}

export interface Place {
  readonly device: string;
  readonly startByte: number;
  readonly sizeBytes: number;
}

export interface Mount {
  /** As the other facts name it: `/dev/vda1`, `/dev/vg/lv`. */
  readonly device: string;
  readonly mountPoint: string;
  readonly readOnly: boolean;
}

export interface PhysicalVolume {
  readonly device: string;
  readonly group: string;
  readonly extentBytes: number;
  /** Where its first extent begins; the group's description is before it. */
  readonly firstExtentByte: number;
  readonly metadataAreas: number;
  readonly groupFreeBytes: number;
}

/** A piece of a logical volume. */
export interface Segment {
  readonly group: string;
  readonly volume: string;
  /** `/dev/<group>/<volume>` */
  readonly device: string;
  readonly volumeBytes: number;
  readonly type: string;
  /** Open: mounted, or used in another way. */
  readonly open: boolean;
  /** Within the volume. */
  readonly startByte: number;
  readonly extents: readonly {
    readonly device: string;
    readonly first: number;
    readonly count: number;
  }[];
}
