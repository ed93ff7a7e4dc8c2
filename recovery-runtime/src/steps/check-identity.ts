import { RekindleError } from '#base/errors.ts';
import { comparePassports } from '#images/passport/compare-passports.ts';
import type { Difference } from '#images/passport/difference.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';

declare const acceptedBrand: unique symbol;

/** This machine is the one that the image was taken from. Only `checkIdentity` makes one. */
export interface IdentityAccepted {
  readonly [acceptedBrand]: true;
  /** Differences that do not stand in the way; replaced parts among them need a confirmation. */
  readonly differences: readonly Difference[];
  readonly registeredPassport: HardwarePassport;
}

export type IdentityOutcome =
  | { readonly kind: 'accepted'; readonly identity: IdentityAccepted }
  | { readonly kind: 'refused'; readonly differences: readonly Difference[] };

/**
 * Compares this machine with the image's passport, and with the registered one, which is the image's with the
 * parts that were replaced and confirmed since. A replaced part that is registered already is no news.
 */
export function checkIdentity(
  image: HardwarePassport,
  registered: HardwarePassport,
  machine: HardwarePassport,
): IdentityOutcome {
  // A station that the service declares a stand-in (rekindle rehearse) may get the image of the one it stands in for.
  const fromImage = comparePassports({ ...image, standIn: image.standIn || registered.standIn }, machine);
  const fromRegistered = comparePassports(registered, machine);
  const fatal = uniqueByField(
    [...fromImage, ...fromRegistered].filter(({ severity }) => severity === 'fatal'),
  );
  if (fatal.length > 0) return { kind: 'refused', differences: fatal };
  const differences = uniqueByField(fromRegistered);
  const accepted = { differences, registeredPassport: registered };
  return { kind: 'accepted', identity: accepted as unknown as IdentityAccepted };
}

function uniqueByField(differences: readonly Difference[]): Difference[] {
  return [...new Map(differences.map((difference) => [difference.field, difference])).values()];
}

export function replacedPartsOf({ differences }: IdentityAccepted): string[] {
  return differences.filter(({ severity }) => severity === 'replaced-part').map(({ field }) => field);
}

export const assertIdentity = readingStep<
  {
    readonly image: HardwarePassport;
    readonly registered: HardwarePassport;
    readonly machine: HardwarePassport;
    /** Called before the step fails: the report names the differences too. */
    readonly onRefused: (differences: readonly Difference[]) => void;
  },
  IdentityAccepted
>({
  id: 'check-identity',
  title: titles['check-identity'],
  async run({ image, registered, machine, onRefused }) {
    const outcome = checkIdentity(image, registered, machine);
    if (outcome.kind === 'accepted') {
      const parts = replacedPartsOf(outcome.identity).length;
      return {
        value: outcome.identity,
        sentence: parts === 0 ? texts.identical : texts.identicalBut(parts),
      };
    }
    onRefused(outcome.differences);
    throw new RekindleError(
      'hardware-not-identical',
      'comparing this machine with the one that the image was taken from: they are not the same hardware',
      {
        cause: new Error(outcome.differences.map(({ sentence }) => sentence).join(' ')),
        next: "Put the station's own parts back, or choose an image of this machine. There is no restore onto other hardware.",
        details: { differences: outcome.differences },
      },
    );
  },
});
