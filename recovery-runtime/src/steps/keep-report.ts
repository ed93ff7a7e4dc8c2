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
  { readonly medium: OpenMedium | undefined; readonly report: RunReport },
  string
>({
  id: 'keep-report',
  title: titles['keep-report'],
  async run({ medium, report }) {
    const doing = 'keeping the report on the medium';
    const next = 'Write down or photograph what is on the screen.';
    if (medium?.write === undefined) {
      const cause =
        medium === undefined ? texts.mediumGone : 'a CD, or a stick with the image of one, takes no files';
      throw new RekindleError('target-unfit', doing, { cause: new Error(cause), next });
    }
    const folder = join(medium.folder, mediumReports);
    const name = `${report.station}_${formatUtc(new Date(report.openedAt))}_${report.machine.runId.slice(0, 8)}.json`;
    try {
      await medium.write(async () => {
        await mkdir(folder, { recursive: true });
        await writeFileDurably(join(folder, name), Buffer.from(`${JSON.stringify(report, null, 2)}\n`));
      });
    } catch (cause) {
      throw new RekindleError('unexpected', doing, { cause, next });
    }
    return { value: name, sentence: texts.reportKept(`${mediumReports}/${name}`) };
  },
});
