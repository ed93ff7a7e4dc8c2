import { RekindleError } from '#base/errors.ts';
import type { ImageSummary } from '#contract/api.ts';
import type { StationName } from '#images/format/image-manifest.ts';
import { imageListScreen } from '../console/screens.ts';
import type { Terminal } from '../console/terminal.ts';
import { prompts, texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import { listImages } from '../server-client/calls.ts';
import type { ServerClient } from '../server-client/server-client.ts';
import { askLine } from './ask.ts';

export const listStationImages = readingStep<
  { readonly server: ServerClient; readonly token: string; readonly station: StationName },
  readonly ImageSummary[]
>({
  id: 'list-images',
  title: titles['list-images'],
  async run({ server, token, station }) {
    const images = newestFirst(await listImages(server, token, station));
    if (images.length === 0) {
      throw new RekindleError('not-found', `listing the images of ${station}: there is none`, {
        next: 'Capture an image of this station while it is healthy (enrolment), or import one.',
      });
    }
    return { value: images, sentence: texts.imagesFound(station, images.length) };
  },
});

function newestFirst(images: readonly ImageSummary[]): ImageSummary[] {
  return images.toSorted((left, right) => right.capturedAt.localeCompare(left.capturedAt));
}

/** Number of the chosen one from 0; Enter means the newest. Nothing when it is no number of the list. */
export function parseImageChoice(answer: string, images: number): number | undefined {
  const text = answer.trim();
  if (text === '') return 0;
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return number >= 1 && number <= images ? number - 1 : undefined;
}

export const chooseImage = readingStep<
  { readonly terminal: Terminal; readonly images: readonly ImageSummary[] },
  string
>({
  id: 'choose-image',
  title: titles['choose-image'],
  async run({ terminal, images }) {
    terminal.print(imageListScreen(images));
    for (;;) {
      const answer = await askLine(terminal, { prompt: prompts.image }, 'choosing an image');
      const chosen = parseImageChoice(answer, images.length);
      const image = chosen === undefined ? undefined : images[chosen];
      if (image !== undefined) return { value: image.ref, sentence: texts.imageChosen(image.ref) };
      terminal.print([texts.noSuchNumber(answer, images.length)]);
    }
  },
});
