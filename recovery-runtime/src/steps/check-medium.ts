import { RekindleError } from '#base/errors.ts';
import type { StationTicket } from '#contract/station-ticket.ts';
import { comparePassports } from '#images/passport/compare-passports.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import { findDamagedFiles, type OpenMedium } from '../medium/open-medium.ts';
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
    readonly machine: Pick<Machine, 'openMedium'>;
    readonly ticket: StationTicket;
    /** Called before anything on it is judged: whoever ends the run closes it. */
    readonly onOpen: (medium: OpenMedium) => void;
    /** For the report: what could not be checked. */
    readonly onUnverified: (sentence: string) => void;
  },
  void
>({
  id: 'check-medium',
  title: titles['check-medium'],
  async run({ machine, ticket, onOpen, onUnverified }, { progress }) {
    const medium = await machine.openMedium(ticket);
    if (medium === undefined) {
      onUnverified(texts.mediumGone);
      return { value: undefined, sentence: texts.mediumGone, skipped: true };
    }
    onOpen(medium);
    const damaged = await findDamagedFiles(medium.folder, ticket.files, progress);
    if (damaged.length > 0) {
      throw new RekindleError(
        'verification-failed',
        `reading the medium in ${medium.device}: ${damaged.join(', ')} ${damaged.length === 1 ? 'is' : 'are'} not what the ticket says`,
        { next: otherMedium },
      );
    }
    const bytes = ticket.files.reduce((sum, file) => sum + file.bytes, 0);
    return { value: undefined, sentence: texts.mediumWhole(ticket.files.length, bytes) };
  },
});
