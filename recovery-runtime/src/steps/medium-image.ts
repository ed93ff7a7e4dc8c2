import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { mediumStore, type StationTicket } from '#contract/station-ticket.ts';
import { formatImageRef, parseImageRef } from '#images/format/image-name.ts';
import { parsePublicKey } from '#images/format/minisign.ts';
import { readListedFile, readManifest } from '#images/stores/image-folder.ts';
import { wrap } from '../console/layout.ts';
import type { Terminal } from '../console/terminal.ts';
import { prompts, texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import type { OpenMedium } from '../medium/open-medium.ts';
import type { SiteKeys } from '../workflow-machine.ts';
import { askLine } from './ask.ts';
import { believeImage, type SignedImage } from './open-job.ts';

/** The image that lies on the medium, and no other one: the signed ticket names it and its manifest. */
export const readMediumImage = readingStep<
  { readonly medium: OpenMedium | undefined; readonly ticket: StationTicket; readonly site: SiteKeys },
  SignedImage
>({
  id: 'check-image',
  title: titles['check-image'],
  async run({ medium, ticket, site }) {
    const doing = 'reading the image on the medium';
    if (ticket.image === undefined || medium === undefined) {
      throw new RekindleError('not-found', doing, {
        cause: new Error(
          ticket.image === undefined
            ? 'this medium was made without an image'
            : 'the medium is not there any more',
        ),
        next: 'Start this machine again from the medium; without an image on it, choose the recovery service.',
      });
    }
    const store = join(medium.folder, mediumStore);
    const { utc, station } = parseImageRef(ticket.image.ref);
    const name = { utc, station };
    const key = parsePublicKey(site.imageSigner);
    const { manifestBytes, signature, manifestSha256 } = await readManifest(store, name, key);
    if (manifestSha256 !== ticket.image.manifestSha256) {
      throw new RekindleError(
        'verification-failed',
        `${doing}: its manifest is not the one that the ticket names`,
        {
          next: 'Build the medium again (rekindle media build).',
        },
      );
    }
    const image = await believeImage({
      ref: formatImageRef(name),
      manifestBytes,
      signature,
      key,
      readListed: (manifest, file) => readListedFile(store, name, manifest, file),
      source: { kind: 'directory', path: store, description: `the medium ${medium.device}` },
    });
    return { value: image, sentence: texts.imageSigned(image.manifest.station, image.manifest.capturedAt) };
  },
});

/** Nobody can be authenticated without the service; the name is what the report says of who was here. */
export const askName = readingStep<{ readonly terminal: Terminal }, string>({
  id: 'ask-name',
  title: titles['ask-name'],
  async run({ terminal }) {
    terminal.print(wrap(texts.nobodyLogsOn));
    for (;;) {
      const name = (
        await askLine(terminal, { prompt: prompts.name }, "asking for the technician's name")
      ).trim();
      if (name !== '') return { value: name.slice(0, 64), sentence: texts.nameGiven(name.slice(0, 64)) };
      terminal.print([texts.nameNeeded]);
    }
  },
});
