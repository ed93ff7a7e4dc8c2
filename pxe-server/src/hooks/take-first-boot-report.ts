import type { FirstBootReport } from '#contract/first-boot.ts';
import { amendReport } from '../jobs/amend-report.ts';
import { reportFolder } from '../jobs/close-run.ts';
import type { Job } from '../jobs/job-store.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { recordsOfSteps, withFirstBoot } from './first-boot-records.ts';
import { endFirstBoot, type JobHooks, noteSequence } from './hook-store.ts';

/**
 * What the station's first boot says goes into its run report. A report that came before is taken again and
 * changes nothing. After the last one the service looks for itself (confirm-first-boot.ts), and closes the report.
 * A last one counts whatever its number: a power cut may take the agent's count with it, and whoever is told that
 * this one has arrived removes itself. It still counts once only, because it closes the key.
 */
export function takeFirstBootReport(
  { state, signingKey, paths }: ServiceContext,
  job: Job,
  hooks: JobHooks,
  report: FirstBootReport,
): { readonly fresh: boolean } {
  const isNew = report.last || report.sequence > hooks.firstBootSequence;
  if (!hooks.firstBootOpen || !isNew) return { fresh: false };
  const records = recordsOfSteps(hooks.plan, report);
  amendReport(state, signingKey, reportFolder(paths, job), (run) => {
    // In the transaction of the report: never kept without it; else the agent sends it again.
    noteSequence(state, job.id, report.sequence);
    if (report.last) endFirstBoot(state, job.id);
    return {
      report: withFirstBoot(run, records),
      amendment: {
        by: `first boot (${report.agent})`,
        what: `report ${report.sequence}${report.last ? ', the last one' : ''}: ${records.length} hooks`,
      },
    };
  });
  return { fresh: true };
}
