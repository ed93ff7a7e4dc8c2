import { formatError } from '#base/errors.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import { wrap } from '../console/layout.ts';
import type { Terminal } from '../console/terminal.ts';
import { prompts, texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import { describeVolumes, parseScope, type RestoreScope } from '../restore/restore-scope.ts';
import { askLine } from './ask.ts';

/** Which volumes are restored, instead of what the rule says. */
export const chooseVolumes = readingStep<
  { readonly terminal: Terminal; readonly imageDisks: readonly ImageDisk[] },
  RestoreScope
>({
  id: 'choose-volumes',
  title: titles['choose-volumes'],
  async run({ terminal, imageDisks }) {
    terminal.print(['', ...describeVolumes(imageDisks).map((volume) => `  ${volume}`), '']);
    terminal.print(wrap(texts.volumesHelp));
    for (;;) {
      const answer = await askLine(terminal, { prompt: prompts.volumes }, 'choosing the volumes to restore');
      try {
        return { value: parseScope(answer, imageDisks), sentence: texts.volumesChosen(answer.trim()) };
      } catch (error) {
        terminal.print(
          formatError(error)
            .split('\n')
            .flatMap((line) => wrap(line)),
        );
      }
    }
  },
});
