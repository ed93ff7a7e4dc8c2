import type { PassportDisk } from './hardware-passport.ts';

/** What is known of a disk from an earlier look at it. */
export type KnownDisk = Pick<PassportDisk, 'slot' | 'model' | 'sizeBytes'> & {
  readonly serial?: string | undefined;
  readonly wwn?: string | undefined;
};

/** A disk that is looked for: what it was first, then what was put in its place and confirmed since. */
export type WantedDisk = readonly [KnownDisk, ...KnownDisk[]];

export type DiskMatch =
  /** `place`: nothing names the disk; place, model and size are the same. */
  | { readonly kind: 'same'; readonly by: 'wwn' | 'serial' | 'place'; readonly disk: PassportDisk }
  /** Another disk where the wanted one was. */
  | { readonly kind: 'replaced'; readonly disk: PassportDisk }
  /** More than one is it. */
  | { readonly kind: 'twice'; readonly disks: readonly PassportDisk[] }
  /** `why` ends a sentence: "… is missing, and " + why. */
  | { readonly kind: 'missing'; readonly why: string };

/**
 * The one rule by which a disk is known again: by WWN, else by serial number and model, else, when it has
 * neither, as the same model and size in its place. A disk that is gone is replaced by the one in its place and
 * by no other: not by the only one, not by one of its size. Removable media are neither. Pure.
 *
 * @param others disks of the station that are not looked for: one of them in a wanted place is no replacement
 * @returns one match for each wanted disk, in order
 */
export function matchDisks(
  wanted: readonly WantedDisk[],
  present: readonly PassportDisk[],
  others: readonly KnownDisk[] = [],
): DiskMatch[] {
  const fixed = present.filter(({ removable }) => !removable);
  const found = wanted.map((disk) => findSame(disk, fixed));
  return found.map((match, at): DiskMatch => {
    if (match !== undefined) return match;
    const [{ slot }] = wanted[at] as WantedDisk;
    const inPlace = fixed.filter((disk) => disk.slot === slot);
    const [disk, second] = inPlace;
    if (disk === undefined) {
      const stick = present.some((each) => each.removable && each.slot === slot);
      return missing(stick ? `what is in its place ${slot} is removable` : `its place ${slot} is empty`);
    }
    if (second !== undefined) return missing(`${inPlace.length} disks are in its place ${slot}`);
    const strangers = [...wanted.filter((_, other) => other !== at).flat(), ...others];
    const owner = strangers.find((other) => isSameDisk(other, disk) !== undefined);
    if (owner === undefined) return { kind: 'replaced', disk };
    return missing(
      `in its place ${slot} is the disk that belongs to ${owner.slot}; put the disks back where they were`,
    );
  });
}

const missing = (why: string): DiskMatch => ({ kind: 'missing', why });

function findSame(wanted: WantedDisk, present: readonly PassportDisk[]): DiskMatch | undefined {
  for (const by of ['wwn', 'serial', 'place'] as const) {
    const same = present.filter((disk) => wanted.some((known) => isSameDisk(known, disk) === by));
    const [disk, second] = same;
    if (second !== undefined) return { kind: 'twice', disks: same };
    if (disk !== undefined) return { kind: 'same', by, disk };
  }
  return undefined;
}

function isSameDisk(known: KnownDisk, disk: PassportDisk): 'wwn' | 'serial' | 'place' | undefined {
  if (isNamed(known.wwn) && known.wwn === disk.wwn) return 'wwn';
  // Serial numbers are unique only within a maker's model.
  if (isNamed(known.serial) && known.serial === disk.serial && known.model === disk.model) return 'serial';
  const nameless = [known, disk].every(({ wwn, serial }) => !isNamed(wwn) && !isNamed(serial));
  const alike = known.slot === disk.slot && known.model === disk.model && known.sizeBytes === disk.sizeBytes;
  return nameless && alike ? 'place' : undefined;
}

const isNamed = (name: string | undefined): boolean => name !== undefined && name !== '';
