import type { StationName } from '#images/format/image-manifest.ts';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { wrap } from '../console/layout.ts';
import type { Terminal } from '../console/terminal.ts';
import { prompts, texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import { enrolStation } from '../server-client/calls.ts';
import type { ServerClient } from '../server-client/server-client.ts';
import { askLine } from './ask.ts';

/** The station that the service recognised this machine as, if any. */
type Known = { readonly name: StationName } | null;

export const nameStation = readingStep<{ readonly terminal: Terminal; readonly known: Known }, StationName>({
  id: 'name-station',
  title: titles['name-station'],
  async run({ terminal, known }) {
    if (known !== null) return { value: known.name, sentence: texts.stationKnown(known.name), skipped: true };
    for (;;) {
      const answer = await askLine(terminal, { prompt: prompts.station }, 'naming this station');
      const name = stationNameSchema.safeParse(answer.trim());
      if (name.success) return { value: name.data, sentence: texts.stationNamed(name.data) };
      terminal.print(wrap(texts.badStationName(name.error.issues[0]?.message ?? '')));
    }
  },
});

export const enrolThisStation = readingStep<
  {
    readonly server: ServerClient;
    readonly token: string;
    readonly passport: HardwarePassport;
    readonly name: StationName;
    readonly known: Known;
  },
  StationName
>({
  id: 'enrol-station',
  title: titles['enrol-station'],
  async run({ server, token, passport, name, known }) {
    if (known !== null) return { value: name, sentence: texts.stationKnown(name), skipped: true };
    const station = await enrolStation(server, token, { name, passport });
    return { value: station, sentence: texts.enrolled(station) };
  },
});
