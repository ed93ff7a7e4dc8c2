import type { ArmedReply, LogOnReply } from '#contract/api.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { wrap } from '../console/layout.ts';
import type { Terminal } from '../console/terminal.ts';
import { prompts, texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import { askArmed, logOn } from '../server-client/calls.ts';
import { refusalError } from '../server-client/problem.ts';
import type { ServerClient } from '../server-client/server-client.ts';
import { askLine } from './ask.ts';

interface WhoAsks {
  readonly server: ServerClient;
  readonly passport: HardwarePassport;
}

export const askIfArmed = readingStep<WhoAsks, ArmedReply['armed']>({
  id: 'ask-armed',
  title: titles['ask-armed'],
  async run({ server, passport }) {
    const { armed } = await askArmed(server, passport);
    return armed === null
      ? { value: null, sentence: texts.notArmed, skipped: true }
      : { value: armed, sentence: texts.armed(armed.by, armed.image) };
  },
});

/** The technician can put these right by typing again; everything else ends the run. */
const askAgainAfter: ReadonlySet<string> = new Set(['wrong-password', 'locked']);

export const logOnTechnician = readingStep<WhoAsks & { readonly terminal: Terminal }, LogOnReply>({
  id: 'log-on',
  title: titles['log-on'],
  async run({ server, passport, terminal }, { say }) {
    const doing = 'logging on';
    for (;;) {
      const technician = (await askLine(terminal, { prompt: prompts.technician }, doing)).trim();
      if (technician === '') {
        terminal.print([texts.nameNeeded]);
        continue;
      }
      const password = await askLine(terminal, { prompt: prompts.password, hidden: true }, doing);
      const outcome = await logOn(server, { technician, password }, passport);
      if (outcome.kind === 'logged-on') {
        const { session } = outcome;
        const { station } = session;
        for (const oddity of session.oddities) say(oddity);
        const sentence =
          station === null ? texts.enrolmentUnknown : texts.recognised(station.name, station.recognisedBy);
        return { value: session, sentence: `${texts.loggedOn(session.technician)} ${sentence}` };
      }
      if (!askAgainAfter.has(outcome.problem.code)) {
        throw refusalError(`${doing} as ${technician}`, { status: 403, problem: outcome.problem });
      }
      terminal.print(wrap(texts.logOnRefused(outcome.problem)));
    }
  },
});
