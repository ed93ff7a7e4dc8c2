import type { ImageName } from '#images/format/image-name.ts';
import { announceReading } from '#images/stores/announce-reading.ts';
import type { Announcement } from '#images/stores/announcement.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import type { SignedImage } from './open-job.ts';

/**
 * Says in a folder store that this image is restored now, so that neither `prune` nor `gc` takes it or its chunks
 * away; nothing on the machine's disks is touched. A store that cannot be written is restored from all the same: what
 * is not certain then is said, and goes into the report.
 * @returns what keeps the announcement alive; undefined when there is none
 */
export const announceRestore = readingStep<
  {
    readonly image: SignedImage;
    readonly name: ImageName;
    readonly onUnverified: (sentence: string) => void;
  },
  Announcement | undefined
>({
  id: 'announce-restore',
  title: titles['announce-restore'],
  async run({ image: { source, indexes }, name, onUnverified }) {
    const announced =
      source.kind === 'http'
        ? { kind: 'not-announced' as const, reason: 'a web server only reads' }
        : await announceReading(source.path, name, 'a restore', indexes);
    if (announced.kind === 'announced')
      return { value: announced.announcement, sentence: texts.restoreAnnounced };
    const sentence = texts.restoreNotAnnounced(announced.reason);
    onUnverified(sentence);
    return { value: undefined, sentence, skipped: true };
  },
});
