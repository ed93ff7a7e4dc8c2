import { RekindleError } from '#base/errors.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import { type DiskMatch, type KnownDisk, matchDisks } from '#images/passport/match-disks.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import type { DiskDevice } from '../inventory/disks.ts';
import type { IdentityAccepted } from './check-identity.ts';

declare const targetBrand: unique symbol;

export interface TargetDisk {
  readonly image: ImageDisk;
  readonly disk: DiskDevice;
  /** `place`: nothing names it, but it is alike. `replaced`: another disk where the image's was. */
  readonly recognisedBy: 'wwn' | 'serial' | 'place' | 'replaced';
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
 * Finds each disk of the image in the machine by the rule of `matchDisks`; whatever fits twice is refused. The
 * identity is asked for because a disk may only be chosen on the right machine.
 */
export function chooseDisks(
  { registeredPassport }: IdentityAccepted,
  imageDisks: readonly ImageDisk[],
  present: readonly DiskDevice[],
): DiskChoice {
  const registered = registeredPassport.disks;
  const places = new Set(imageDisks.map(({ slot }) => slot));
  const matches = matchDisks(
    // What was in the slot when the image was taken, and what was put there and confirmed since.
    imageDisks.map((image) => [image, ...registered.filter(({ slot }) => slot === image.slot)]),
    present.map(({ passportDisk }) => passportDisk),
    registered.filter(({ slot }) => !places.has(slot)),
  );
  const sentences: string[] = [];
  const targets: TargetDisk[] = [];
  for (const [at, image] of imageDisks.entries()) {
    const match = matches[at] as DiskMatch;
    if (match.kind === 'missing') {
      sentences.push(
        `Disk ${image.number} of the image (${describeDisk(image)}) is not in this machine, and ${match.why}.`,
      );
    } else if (match.kind === 'twice') {
      sentences.push(
        `Disk ${image.number} of the image is there ${match.disks.length} times: ${match.disks.map(describeDisk).join('; ')}.`,
      );
    } else {
      const disk = present.find(({ passportDisk }) => passportDisk === match.disk) as DiskDevice;
      const twin = targets.find((other) => other.disk === disk);
      if (twin !== undefined) {
        sentences.push(
          `${describeDisk(match.disk)} would be both disk ${twin.image.number} and disk ${image.number} of the image.`,
        );
      }
      targets.push({ image, disk, recognisedBy: match.kind === 'same' ? match.by : 'replaced' });
    }
  }
  if (sentences.length > 0) return { kind: 'unfit', sentences };
  return { kind: 'chosen', disks: { targets } as unknown as TargetDisks };
}

/**
 * One of the chosen disks alone. Naming a device narrows the choice, it never makes one.
 * @throws RekindleError `target-unfit`: no disk of the image was found behind that device
 */
export function keepOnlyDisk({ targets }: TargetDisks, devicePath: string): TargetDisks {
  const only = targets.filter(({ disk }) => disk.devicePath === devicePath);
  if (only.length === 1) return { targets: only } as unknown as TargetDisks;
  const known = targets.map(({ image, disk }) => `disk ${image.number} of the image is ${disk.devicePath}`);
  throw new RekindleError('target-unfit', `restoring to ${devicePath}: it is no disk of this image`, {
    cause: new Error(`${known.join('; ')}, by serial number or WWN`),
    next: 'Name one of these, or leave --disk out.',
  });
}

export function describeDisk(disk: Pick<KnownDisk, 'model' | 'serial'>): string {
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
  place: 'recognised by its place, model and size; nothing names it',
  replaced: 'new in its place',
} as const;
