import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import type { RunReport } from '#contract/run-report.ts';
import { mediumReports } from '#contract/station-ticket.ts';
import { formatUtc } from '#images/format/image-name.ts';
import { writeFileDurably } from '#images/stores/durable-write.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import type { OpenMedium } from '../medium/open-medium.ts';

/** The report of a run without the service goes where the run came from. */
export const keepReport = readingStep<
  {
    /** Of the medium, which `write` makes writable. */
    readonly folder: string;
    readonly write: NonNullable<OpenMedium['write']>;
    readonly report: RunReport;
  },
  string
>({
  id: 'keep-report',
  title: titles['keep-report'],
  async run({ folder, write, report }) {
    const reports = join(folder, mediumReports);
    const name = `${report.station}_${formatUtc(new Date(report.openedAt))}_${report.machine.runId.slice(0, 8)}.json`;
    try {
      await write(async () => {
        await mkdir(reports, { recursive: true });
        await writeFileDurably(join(reports, name), Buffer.from(`${JSON.stringify(report, null, 2)}\n`));
      });
    } catch (cause) {
      throw new RekindleError('unexpected', 'keeping the report on the medium', {
        cause,
        next: 'Write down or photograph what is on the screen.',
      });
    }
    return { value: name, sentence: texts.reportKept(`${mediumReports}/${name}`) };
  },
});
