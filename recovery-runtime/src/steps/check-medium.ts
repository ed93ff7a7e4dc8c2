import { RekindleError } from '#base/errors.ts';
import type { StationTicket } from '#contract/station-ticket.ts';
import { comparePassports } from '#images/passport/compare-passports.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import { otherMedium, parseTicket, type SignedTicket } from '../medium/station-ticket.ts';
import type { Machine, SiteKeys } from '../workflow-machine.ts';

/** A medium is for one station: on any other machine it stops before it asks anything. */
export const checkTicket = readingStep<
  {
    readonly signedTicket: SignedTicket;
    readonly site: SiteKeys;
    readonly passport: HardwarePassport;
  },
  StationTicket
>({
  id: 'check-ticket',
  title: titles['check-ticket'],
  async run({ signedTicket, site, passport }) {
    const ticket = parseTicket(signedTicket, site.imageSigner);
    const fatal = comparePassports(ticket.passport, passport).filter(({ severity }) => severity === 'fatal');
    if (fatal.length > 0) {
      throw new RekindleError(
        'hardware-not-identical',
        `comparing this machine with ${ticket.station}, which this medium is for: they are not the same hardware`,
        {
          cause: new Error(fatal.map(({ sentence }) => sentence).join(' ')),
          next: `Take the medium to ${ticket.station}, or build one for this machine (rekindle media build).`,
          details: { differences: fatal },
        },
      );
    }
    return { value: ticket, sentence: texts.mediumOf(ticket.station, ticket.builtAt) };
  },
});

export const checkMedium = readingStep<
  {
    readonly machine: Machine;
    readonly ticket: StationTicket;
    /** For the report: what could not be checked. */
    readonly onUnverified: (sentence: string) => void;
  },
  void
>({
  id: 'check-medium',
  title: titles['check-medium'],
  async run({ machine, ticket, onUnverified }, { progress }) {
    const check = await machine.checkMedium(ticket, progress);
    switch (check.kind) {
      case 'whole':
        return { value: undefined, sentence: texts.mediumWhole(ticket.files.length, check.bytes) };
      case 'not-found':
        onUnverified(texts.mediumGone);
        return { value: undefined, sentence: texts.mediumGone, skipped: true };
      case 'damaged':
        throw new RekindleError(
          'verification-failed',
          `reading the medium in ${check.device}: ${check.files.join(', ')} ${check.files.length === 1 ? 'is' : 'are'} not what the ticket says`,
          { next: otherMedium },
        );
    }
  },
});
