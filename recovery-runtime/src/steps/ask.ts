import { RekindleError } from '#base/errors.ts';
import type { Question, Terminal } from '../console/terminal.ts';
import { texts } from '../console/texts.ts';

/**
 * Asks until a line comes. Ctrl-C, a time-out and the loss of every console end the run: none of them can
 * stand for an answer.
 * @param doing what was being asked for, as the sentence of the failure
 * @throws RekindleError `interrupted`
 */
export async function askLine(terminal: Terminal, question: Question, doing: string): Promise<string> {
  const answer = await terminal.ask(question);
  switch (answer.kind) {
    case 'line':
      return answer.text;
    case 'cancelled':
      throw ended(doing, texts.cancelled);
    case 'timed-out':
      throw ended(doing, texts.timedOut);
    case 'closed':
      throw ended(doing, texts.noConsole);
  }
}

function ended(doing: string, why: string): RekindleError {
  return new RekindleError('interrupted', doing, {
    cause: new Error(why),
    next: 'Try again when you are ready.',
  });
}
