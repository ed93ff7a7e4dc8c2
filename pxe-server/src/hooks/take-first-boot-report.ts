import { errorChain } from '#base/errors.ts';
import type { FirstBootReport } from '#contract/first-boot.ts';
import type { HookPlan } from '#contract/hook.ts';
import { type HookRecord, type SettledItem, sentenceOf } from '#contract/hook-result.ts';
import { hookRecordsOf, type RunReport } from '#contract/run-report.ts';
import { formatImageRef, parseImageName } from '#images/format/image-name.ts';
import { readManifest } from '#images/stores/image-folder.ts';
import { amendReport } from '../jobs/amend-report.ts';
import { tickSettled } from '../jobs/checklist.ts';
import { reportFolder } from '../jobs/close-run.ts';
import type { Job } from '../jobs/job-store.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { closeFirstBoot, type JobHooks, noteSequence } from './hook-store.ts';
import { serverHookOf, titleOfHook } from './run-preflight.ts';
import type { Confirmed } from './server-hook.ts';
import { readStepAnswer } from './step-answer.ts';

/**
 * What the station's first boot says goes into its run report. A report that came before is taken again and
 * changes nothing. After the last one the service looks for itself (`confirm`), and closes the report.
 * A last one counts whatever its number: a power cut may take the agent's count with it, and whoever is told that
 * this one has arrived removes itself. It still counts once only, because it closes the key.
 */
export function takeFirstBootReport(
  context: ServiceContext,
  job: Job,
  hooks: JobHooks,
  report: FirstBootReport,
): { readonly fresh: boolean } {
  const isNew = report.last || report.sequence > hooks.firstBootSequence;
  if (!hooks.firstBootOpen || !isNew) return { fresh: false };
  const { state, signingKey, paths } = context;
  const records = report.steps.flatMap((step) => toRecord(hooks.plan, step));
  amendReport(state, signingKey, reportFolder(paths, job), (run) => ({
    report: withFirstBoot(run, records),
    amendment: {
      by: `first boot (${report.agent})`,
      what: `report ${report.sequence}${report.last ? ', the last one' : ''}: ${records.length} hooks`,
    },
  }));
  noteSequence(state, job.id, report.sequence);
  if (report.last) closeFirstBoot(state, job.id);
  return { fresh: true };
}

/** Looks at the world for what the station said of itself, and closes the report. */
export async function confirmFirstBoot(context: ServiceContext, job: Job, plan: HookPlan): Promise<void> {
  const { state, signingKey, paths, store, log } = context;
  const folder = reportFolder(paths, job);
  const { hooks: records, machine } = amendReport(state, signingKey, folder, () => undefined);
  const name = parseImageName(job.imageName);
  const confirmed: HookRecord[] = [];
  const settled: SettledItem[] = [];
  if (name !== null) {
    const { manifest } = await readManifest(store, name, signingKey);
    const image = { ref: formatImageRef(name), manifest };
    for (const hook of plan.hooks) {
      const reported = records.find(({ hook: id, phase }) => id === hook.id && phase === 'first-boot');
      const confirm = serverHookOf(hook)?.confirm;
      if (reported === undefined || confirm === undefined) continue;
      if (reported.result.outcome !== 'done' && reported.result.outcome !== 'unverified') continue;
      const signal = AbortSignal.timeout(hook.timeoutSeconds * 1000);
      const earlier = hookRecordsOf({ hooks: records, machine });
      const looked = await confirm(
        { plan, image, earlier, siteFolder: paths.folder, signal },
        reported,
      ).catch(
        (error: unknown): Confirmed => ({
          result: {
            outcome: 'unverified',
            sentence:
              `The station says: ${sentenceOf(reported.result)} It could not be confirmed from here: ${errorChain(error).join(': ')}`.slice(
                0,
                2000,
              ),
          },
          evidence: [],
        }),
      );
      settled.push(...(looked.settled ?? []));
      confirmed.push({
        ...reported,
        result: looked.result,
        evidence: [...reported.evidence, ...looked.evidence],
      });
    }
  }
  const closed = amendReport(state, signingKey, folder, (run) => ({
    report: {
      ...withFirstBoot(run, [...confirmed, ...silentHooks(run, plan)]),
      state: 'closed',
      checklist: tickSettled(run.checklist, settled, new Date()),
    },
    amendment: { by: 'the service', what: 'every staged hook has answered' },
  }));
  log.info({ job: job.id, station: job.station, hooks: closed.hooks.length }, 'first boot reported');
}

function toRecord(plan: HookPlan, step: FirstBootReport['steps'][number]): HookRecord[] {
  const hook = plan.hooks.find(({ id }) => id === step.hook);
  // The agent runs what was staged for it; a hook that is in no plan is nothing to report.
  if (hook === undefined) return [];
  const { startedAt, seconds } = step;
  const { result, evidence } = readStepAnswer(step);
  return [
    {
      hook: hook.id,
      kind: hook.kind,
      phase: 'first-boot',
      title: titleOfHook(hook),
      plan: [],
      result,
      evidence,
      startedAt,
      seconds,
    },
  ];
}

/** The newest word on a hook's first boot replaces the one before. */
function withFirstBoot(run: RunReport, records: readonly HookRecord[]): RunReport {
  const said = new Set(records.map(({ hook }) => hook));
  const kept = run.hooks.filter(({ hook, phase }) => phase !== 'first-boot' || !said.has(hook));
  return { ...run, hooks: [...kept, ...records] };
}

/** Staged, but the last report says nothing of them. */
function silentHooks(run: RunReport, plan: HookPlan): HookRecord[] {
  return run.machine.hooks.flatMap((staged) => {
    const answered = run.hooks.some(({ hook, phase }) => hook === staged.hook && phase === 'first-boot');
    const hook = plan.hooks.find(({ id }) => id === staged.hook);
    if (staged.result.outcome !== 'staged' || answered || hook === undefined) return [];
    return [
      {
        ...staged,
        phase: 'first-boot' as const,
        plan: [],
        result: {
          outcome: 'failed' as const,
          sentence: 'It was staged, and the first boot ended without a word of it.',
          next: 'Read the agent’s log on the station, and do its work by hand.',
        },
        evidence: [],
      },
    ];
  });
}
