import { RekindleError } from '#base/errors.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import type { PassportDisk } from '#images/passport/hardware-passport.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import type { DiskDevice } from '../inventory/disks.ts';
import type { IdentityAccepted } from './check-identity.ts';

declare const targetBrand: unique symbol;

export interface TargetDisk {
  readonly image: ImageDisk;
  readonly disk: DiskDevice;
  /** `slot`: another disk where the image's was, a replaced part. */
  readonly recognisedBy: 'wwn' | 'serial' | 'slot';
}

/** The disks that may be written, one for each disk of the image. Only `chooseDisks` makes one. */
export interface TargetDisks {
  readonly [targetBrand]: true;
  readonly targets: readonly TargetDisk[];
}

export type DiskChoice =
  | { readonly kind: 'chosen'; readonly disks: TargetDisks }
  | { readonly kind: 'unfit'; readonly sentences: readonly string[] };

/**
 * Finds each disk of the image in the machine: by WWN, else by serial number and model, else, as a replaced
 * part of the same class, in the slot where the image's disk was. Never by name, by order or by size; whatever
 * fits twice is refused. The identity is asked for because a disk may only be chosen on the right machine.
 */
export function chooseDisks(
  { registeredPassport }: IdentityAccepted,
  imageDisks: readonly ImageDisk[],
  present: readonly DiskDevice[],
): DiskChoice {
  const found = imageDisks.map((image) => findDisk(image, imageDisks, registeredPassport.disks, present));
  const sentences = found.flatMap((each) => (typeof each === 'string' ? [each] : []));
  const targets = found.flatMap((each) => (typeof each === 'string' ? [] : [each]));
  for (const [at, target] of targets.entries()) {
    const twin = targets.slice(0, at).find(({ disk }) => disk.devicePath === target.disk.devicePath);
    if (twin === undefined) continue;
    sentences.push(
      `${describeDisk(target.disk.passportDisk)} would be both disk ${twin.image.number} and disk ${target.image.number} of the image.`,
    );
  }
  if (sentences.length > 0) return { kind: 'unfit', sentences };
  return { kind: 'chosen', disks: { targets } as unknown as TargetDisks };
}

interface DiskIdentity {
  readonly wwn?: string | undefined;
  readonly serial?: string | undefined;
  readonly model: string;
}

function findDisk(
  image: ImageDisk,
  imageDisks: readonly ImageDisk[],
  registered: readonly PassportDisk[],
  present: readonly DiskDevice[],
): TargetDisk | string {
  // What was in the slot when the image was taken, and what was put there and confirmed since.
  const identities: DiskIdentity[] = [image, ...registered.filter(({ slot }) => slot === image.slot)];
  for (const recognisedBy of ['wwn', 'serial'] as const) {
    const same = present.filter(({ passportDisk }) =>
      identities.some((each) => isSameBy(recognisedBy, each, passportDisk)),
    );
    const [disk, second] = same;
    if (second !== undefined) {
      return `Disk ${image.number} of the image is there ${same.length} times: ${same.map(({ passportDisk }) => describeDisk(passportDisk)).join('; ')}.`;
    }
    if (disk !== undefined) return { image, disk, recognisedBy };
  }

  const inSlot = present.filter(({ passportDisk }) => passportDisk.slot === image.slot);
  const [disk, second] = inSlot;
  const missing = `Disk ${image.number} of the image (${describeDisk(image)}) is not in this machine`;
  if (disk === undefined) return `${missing}, and its place ${image.slot} is empty.`;
  if (second !== undefined) return `${missing}, and ${inSlot.length} disks are in its place ${image.slot}.`;
  const belongsTo = imageDisks.find(
    (other) =>
      other !== image &&
      (isSameBy('wwn', other, disk.passportDisk) || isSameBy('serial', other, disk.passportDisk)),
  );
  if (belongsTo !== undefined) {
    return `${missing}; in its place ${image.slot} is disk ${belongsTo.number} of the image. Put the disks back where they were.`;
  }
  const movedHere = registered.find(
    (other) =>
      other.slot !== image.slot &&
      (isSameBy('wwn', other, disk.passportDisk) || isSameBy('serial', other, disk.passportDisk)),
  );
  if (movedHere !== undefined) {
    return `${missing}; in its place ${image.slot} is the disk that belongs to ${movedHere.slot}. Put the disks back where they were.`;
  }
  if (disk.passportDisk.removable) return `${missing}, and what is in its place ${image.slot} is removable.`;
  return { image, disk, recognisedBy: 'slot' };
}

/** Serial numbers are unique only within a maker's model. */
function isSameBy(by: 'wwn' | 'serial', known: DiskIdentity, facts: PassportDisk): boolean {
  const value = known[by];
  if (value === undefined || value === '' || value !== facts[by]) return false;
  return by === 'wwn' || known.model === facts.model;
}

export function describeDisk(disk: DiskIdentity): string {
  return [disk.model, disk.serial === undefined ? 'no serial number' : `serial ${disk.serial}`].join(', ');
}

export const chooseTargetDisks = readingStep<
  {
    readonly present: readonly DiskDevice[];
    readonly identity: IdentityAccepted;
    readonly imageDisks: readonly ImageDisk[];
  },
  TargetDisks
>({
  id: 'choose-disks',
  title: titles['choose-disks'],
  async run({ present, identity, imageDisks }) {
    const choice = chooseDisks(identity, imageDisks, present);
    if (choice.kind === 'unfit') {
      throw new RekindleError('target-unfit', 'looking for the disks to restore', {
        cause: new Error(choice.sentences.join(' ')),
        next: "Check which disks are in the machine and in which place; only the station's own, or new ones in their places, are written.",
      });
    }
    const named = choice.disks.targets.map(
      ({ image, disk, recognisedBy }) =>
        `Disk ${image.number} is ${describeDisk(disk.passportDisk)}, ${recognition[recognisedBy]}`,
    );
    return { value: choice.disks, sentence: texts.disksChosen(named) };
  },
});

export const recognition = {
  wwn: 'recognised by its WWN',
  serial: 'recognised by its serial number',
  slot: 'new in its place',
} as const;
