import { formatBytes } from '#base/bytes.ts';
import type { Mount, OnlineFacts, PhysicalVolume, Place, Segment } from './online-facts.ts';

/**
 * How a disk that is in use becomes a source that stands still. Only what the device mapper already holds can be
 * snapshotted under a mounted file system: logical volumes. Everything else on the disk has to stand still by
 * itself (unmounted, or read-only for as long as the capture takes), or the capture is refused.
 */
export type SnapshotPlan =
  | { readonly kind: 'refused'; readonly sentence: string; readonly next: string }
  | {
      readonly kind: 'snapshot';
      readonly snapshots: readonly PlannedSnapshot[];
      /** Frozen while the snapshots are made: all mounted logical volumes of the disk but the root. */
      readonly freeze: readonly string[];
      /** Mounted partitions without a snapshot: read-only until the capture has ended. */
      readonly makeReadOnly: readonly string[];
      /** The whole disk, without gaps, in order. */
      readonly regions: readonly Region[];
    };

export interface PlannedSnapshot {
  readonly group: string;
  readonly volume: string;
  /** Of the logical volume that takes the blocks which change meanwhile. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Its file system is one of those that are frozen together; any other is frozen for the switch itself. */
  readonly frozen: boolean;
}

export interface Region {
  readonly startByte: number;
  readonly sizeBytes: number;
  readonly from: /** The disk itself. */
    | { readonly kind: 'disk' }
    /** The disk as it was before there were snapshots: LVM's own description of its volumes. */
    | { readonly kind: 'saved' }
    | { readonly kind: 'snapshot'; readonly name: string; readonly offset: number }
    /** Extents that belong to no volume; the snapshots' own changes go there. */
    | { readonly kind: 'zero' };
}

/** Part of every snapshot's name: what a killed capture left is found by it. */
export const snapshotPrefix = 'rekindle_online_';

/** A share of the volume, or bytes. */
export type CowSize = { readonly percent: number } | { readonly bytes: number };

const alternatives =
  'Start the station from the network and capture it there, or keep the data on a logical volume (LVM).';

export function planSnapshot(facts: OnlineFacts, cowSize: CowSize): SnapshotPlan {
  const refuse = (sentence: string, next = alternatives): SnapshotPlan => ({
    kind: 'refused',
    sentence,
    next,
  });
  const own = facts.physicalVolumes.filter(({ device }) =>
    facts.places.some((place) => place.device === device),
  );
  const onDisk = facts.segments.filter(({ extents }) =>
    extents.some(({ device }) => own.some((volume) => volume.device === device)),
  );
  if (own.some(({ metadataAreas }) => metadataAreas > 1))
    return refuse(
      "a physical volume has a second copy of LVM's description at its end, which is not supported",
    );

  const wanted = onDisk.filter(({ open, device }) => open && !facts.swaps.includes(device));
  const odd = wanted.find(({ type }) => type !== 'linear');
  if (odd !== undefined)
    return refuse(
      `${odd.device} is ${odd.type}; only plain (linear) logical volumes can be taken while they are used`,
    );

  const plainMounts = facts.mounts.filter(({ device }) =>
    facts.places.some((place) => place.device === device),
  );
  const root = plainMounts.find(({ mountPoint, readOnly }) => mountPoint === '/' && !readOnly);
  if (root !== undefined)
    return refuse(
      `the root file system is on the plain partition ${root.device}: nothing can be put under it while it is mounted`,
    );
  const strange = facts.mounts.find(
    ({ device, readOnly }) =>
      !readOnly &&
      !facts.places.some((place) => place.device === device) &&
      !wanted.some((segment) => segment.device === device),
  );
  if (strange !== undefined)
    return refuse(
      `${strange.device}, mounted at ${strange.mountPoint}, is on this disk but is no logical volume`,
    );

  const snapshots = planSnapshots(wanted, own, facts.mounts, cowSize);
  if (snapshots.length === 0 && plainMounts.every(({ readOnly }) => readOnly))
    return refuse('nothing on this disk is in use', 'Capture it without --online.');
  const full = groupTooFull(snapshots, own);
  if (full !== undefined)
    return refuse(
      full,
      'Give the volume group more space, make --cow-size smaller, or capture from the network.',
    );
  return {
    kind: 'snapshot',
    snapshots,
    freeze: unique(
      facts.mounts
        .filter((mount) => isFrozen(mount) && wanted.some(({ device }) => device === mount.device))
        .map(({ device }) => device),
    ).flatMap((device) => facts.mounts.find((mount) => mount.device === device)?.mountPoint ?? []),
    makeReadOnly: plainMounts.filter(({ readOnly }) => !readOnly).map(({ mountPoint }) => mountPoint),
    regions: planRegions(facts, own, onDisk, snapshots),
  };
}

function planSnapshots(
  wanted: readonly Segment[],
  own: readonly PhysicalVolume[],
  mounts: readonly Mount[],
  cowSize: CowSize,
): PlannedSnapshot[] {
  return (
    unique(wanted.map(({ device }) => device))
      .flatMap((device) => {
        const segment = wanted.find((each) => each.device === device);
        if (segment === undefined) return [];
        const { group, volume, volumeBytes } = segment;
        const extent = own.find((each) => each.group === group)?.extentBytes ?? 1;
        const asked = 'bytes' in cowSize ? cowSize.bytes : (volumeBytes * cowSize.percent) / 100;
        const sizeBytes = Math.max(1, Math.ceil(asked / extent)) * extent;
        const frozen = mounts.some((mount) => mount.device === device && isFrozen(mount));
        return [{ group, volume, name: `${snapshotPrefix}${volume}`, sizeBytes, frozen }];
      })
      // The root last: the others stand still by then, so all of them show the moment of its switch.
      .sort((left, right) => Number(right.frozen) - Number(left.frozen))
  );
}

/** Programs of ours come from the root: it is frozen by the kernel alone, for the switch of its own table. */
const isFrozen = ({ mountPoint, readOnly }: Mount): boolean => !readOnly && mountPoint !== '/';

function groupTooFull(
  snapshots: readonly PlannedSnapshot[],
  own: readonly PhysicalVolume[],
): string | undefined {
  for (const group of unique(snapshots.map((each) => each.group))) {
    const needed = snapshots
      .filter((each) => each.group === group)
      .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const free = own.find((each) => each.group === group)?.groupFreeBytes ?? 0;
    if (needed > free)
      return `volume group ${group} has ${formatBytes(free)} free, and the changes meanwhile may need ${formatBytes(needed)}`;
  }
  return undefined;
}

function planRegions(
  { disk, places }: OnlineFacts,
  own: readonly PhysicalVolume[],
  segments: readonly Segment[],
  snapshots: readonly PlannedSnapshot[],
): Region[] {
  const regions: Region[] = [];
  for (const volume of own) {
    const place = places.find(({ device }) => device === volume.device);
    if (place === undefined) continue;
    regions.push({ startByte: place.startByte, sizeBytes: volume.firstExtentByte, from: { kind: 'saved' } });
    const used = segments.flatMap((segment) => regionsOfSegment(segment, volume, place, snapshots));
    const firstByte = place.startByte + volume.firstExtentByte;
    const extents = Math.floor((place.sizeBytes - volume.firstExtentByte) / volume.extentBytes);
    regions.push(...fillGaps(used, firstByte, firstByte + extents * volume.extentBytes, { kind: 'zero' }));
  }
  return fillGaps(regions, 0, disk.sizeBytes, { kind: 'disk' });
}

function regionsOfSegment(
  segment: Segment,
  volume: PhysicalVolume,
  place: Place,
  snapshots: readonly PlannedSnapshot[],
): Region[] {
  const snapshot = snapshots.find((each) => each.group === segment.group && each.volume === segment.volume);
  let offset = segment.startByte;
  return segment.extents.flatMap(({ device, first, count }) => {
    const sizeBytes = count * volume.extentBytes;
    const from: Region['from'] =
      snapshot === undefined ? { kind: 'disk' } : { kind: 'snapshot', name: snapshot.name, offset };
    offset += sizeBytes;
    if (device !== volume.device) return [];
    const startByte = place.startByte + volume.firstExtentByte + first * volume.extentBytes;
    return [{ startByte, sizeBytes, from }];
  });
}

function fillGaps(
  regions: readonly Region[],
  startByte: number,
  endByte: number,
  from: Region['from'],
): Region[] {
  const filled: Region[] = [];
  let at = startByte;
  for (const region of regions.toSorted((left, right) => left.startByte - right.startByte)) {
    if (region.startByte > at) filled.push({ startByte: at, sizeBytes: region.startByte - at, from });
    filled.push(region);
    at = region.startByte + region.sizeBytes;
  }
  if (at < endByte) filled.push({ startByte: at, sizeBytes: endByte - at, from });
  return filled;
}

const unique = (values: readonly string[]): string[] => [...new Set(values)];
