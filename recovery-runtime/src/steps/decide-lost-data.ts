import { RekindleError } from '#base/errors.ts';
import { wrap } from '../console/layout.ts';
import type { Terminal } from '../console/terminal.ts';
import { prompts, texts } from '../console/texts.ts';
import type { DataVolumesLost } from '../restore/restore-plan.ts';
import { askLine } from './ask.ts';

/** Says what is to become of data volumes that are lost with the partition table. */
export type DecideLostData = (lost: DataVolumesLost) => Promise<'restore' | 'leave'>;

/** Somebody who walked away decided nothing. */
const timeoutSeconds = 15 * 60;

/** Asks until one of the two words is typed in full. */
export function askAboutLostData(terminal: Terminal, capturedAt: string): DecideLostData {
  return async ({ sentence }) => {
    terminal.print(['', ...wrap(sentence), ...wrap(texts.lostDataChoice(capturedAt))]);
    for (;;) {
      const typed = await askLine(
        terminal,
        { prompt: prompts.lostData, timeoutSeconds },
        'asking what is to become of the lost data volumes',
      );
      const word = typed.trim().toUpperCase();
      if (word === 'RESTORE') return 'restore';
      if (word === 'LEAVE') return 'leave';
      terminal.print(wrap(texts.neitherWord(typed)));
    }
  };
}

/** Nobody is there to ask: `next` says what to do. @throws RekindleError `target-unfit`, always */
export function refuseLostData(next: string): DecideLostData {
  return async ({ sentence }) => {
    throw new RekindleError('target-unfit', 'planning the restore without a person to decide', {
      cause: new Error(sentence),
      next,
    });
  };
}
