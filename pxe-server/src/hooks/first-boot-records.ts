import type { FirstBootReport } from '#contract/first-boot.ts';
import type { HookPlan } from '#contract/hook.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import type { RunReport } from '#contract/run-report.ts';
import { titleOfHook } from './run-preflight.ts';
import { readStepAnswer } from './step-answer.ts';

/** Pure: what a first boot says of its hooks, as records of the run report. */

export function recordsOfSteps(plan: HookPlan, { steps }: Pick<FirstBootReport, 'steps'>): HookRecord[] {
  return steps.flatMap((step) => {
    const hook = plan.hooks.find(({ id }) => id === step.hook);
    // The agent runs what was staged for it; a hook that is in no plan is nothing to report.
    if (hook === undefined) return [];
    const { startedAt, seconds } = step;
    const { result, evidence } = readStepAnswer(step);
    return [
      {
        hook: hook.id,
        kind: hook.kind,
        phase: 'first-boot' as const,
        title: titleOfHook(hook),
        plan: [],
        result,
        evidence,
        startedAt,
        seconds,
      },
    ];
  });
}

/** The newest word on a hook's first boot replaces the one before. */
export function withFirstBoot(run: RunReport, records: readonly HookRecord[]): RunReport {
  const said = new Set(records.map(({ hook }) => hook));
  const kept = run.hooks.filter(({ hook, phase }) => phase !== 'first-boot' || !said.has(hook));
  return { ...run, hooks: [...kept, ...records] };
}

/** Staged, but the last report says nothing of them. */
export function silentHooks(run: RunReport, plan: HookPlan): HookRecord[] {
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
