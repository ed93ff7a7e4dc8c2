import { errorChain, RekindleError } from '#base/errors.ts';
import type { Hook } from './hook.ts';
import type { Evidence, HookPhase, HookRecord, HookResult, PlanLine } from './hook-result.ts';
import type { HookWork } from './hook-work.ts';

/** The order and the rules of one phase, the same on the server and in the runtime. */
export interface PhaseRun {
  readonly phase: HookPhase;
  /** In the plan's order: a hook stands below those that it waits for. */
  readonly hooks: readonly Hook[];
  /** Records of the phases before. */
  readonly earlier: readonly HookRecord[];
  /** Only precondition and plan; nothing is applied, and nothing counts as done. */
  readonly dryRun: boolean;
  titleOf(hook: Hook): string;
  /** Undefined: this hook has nothing to do in this phase, and leaves no record. */
  workOf(hook: Hook, records: readonly HookRecord[], signal: AbortSignal): BoundWork | undefined;
  now(): Date;
  onRecord?(record: HookRecord): void;
  /** How long work whose time is up is waited for, so that nothing else begins beside it. */
  readonly graceSeconds?: number;
}

/** Killing a tool and closing a registry hive take far less. */
const usualGraceSeconds = 20;

/** A hook's work with its context already given. */
export interface BoundWork {
  readonly precondition: () => ReturnType<HookWork<never>['precondition']>;
  readonly plan: () => ReturnType<HookWork<never>['plan']>;
  readonly apply: ((planned: unknown) => Promise<void>) | undefined;
  readonly verify: (planned: unknown) => ReturnType<HookWork<never>['verify']>;
}

export function bindWork<Context, Planned>(work: HookWork<Context, Planned>, context: Context): BoundWork {
  return {
    precondition: () => work.precondition(context),
    plan: () => work.plan(context),
    apply:
      work.apply === undefined ? undefined : async (planned) => work.apply?.(context, planned as Planned),
    verify: (planned) => work.verify(context, planned as Planned),
  };
}

/** Runs one phase. A failure stops the hooks that wait for it, and its own later phases; no other hook. */
export async function runPhase(run: PhaseRun): Promise<HookRecord[]> {
  const records: HookRecord[] = [];
  for (const hook of run.hooks) {
    const blocked = blockedBy(hook, [...run.earlier, ...records]);
    const record = await runOne(run, hook, [...run.earlier, ...records], blocked);
    if (record === undefined) continue;
    records.push(record);
    run.onRecord?.(record);
  }
  return records;
}

/** The failed hook that this one waits for, directly or over others, or that is itself. */
export function blockedBy(
  hook: Pick<Hook, 'id' | 'after'>,
  records: readonly HookRecord[],
): string | undefined {
  const stopped = new Set(records.filter(({ result }) => isStopped(result)).map(({ hook: id }) => id));
  return [hook.id, ...hook.after].find((id) => stopped.has(id));
}

/** Failed, or skipped because of a failure: both stop whoever waits for it. */
function isStopped(result: HookResult): boolean {
  return result.outcome === 'failed' || (result.outcome === 'skipped' && result.blockedBy !== undefined);
}

async function runOne(
  run: PhaseRun,
  hook: Hook,
  before: readonly HookRecord[],
  blocked: string | undefined,
): Promise<HookRecord | undefined> {
  const startedAt = run.now();
  const timer = new AbortController();
  const work = run.workOf(hook, before, timer.signal);
  if (work === undefined) return undefined;
  const seen: { plan: readonly PlanLine[]; evidence: Evidence[] } = { plan: [], evidence: [] };
  const result =
    blocked === undefined
      ? await withinTime(hook, timer, run.graceSeconds ?? usualGraceSeconds, () =>
          followWork(work, run.dryRun, seen, timer.signal),
        )
      : blockedResult(hook, blocked);
  return {
    hook: hook.id,
    kind: hook.kind,
    phase: run.phase,
    title: run.titleOf(hook),
    plan: [...seen.plan],
    result,
    evidence: [...seen.evidence],
    startedAt: startedAt.toISOString(),
    seconds: Math.max(0, (run.now().getTime() - startedAt.getTime()) / 1000),
  };
}

function blockedResult(hook: Hook, blocked: string): HookResult {
  const what = blocked === hook.id ? 'its own earlier part' : `hook ${blocked}`;
  return { outcome: 'skipped', reason: `It waits for ${what}, which did not succeed.`, blockedBy: blocked };
}

/** Where its time is up in one of the four, none of the next begins. */
async function followWork(
  work: BoundWork,
  dryRun: boolean,
  seen: { plan: readonly PlanLine[]; evidence: Evidence[] },
  signal: AbortSignal,
): Promise<HookResult> {
  const precondition = await work.precondition();
  if (precondition.kind === 'skip') return { outcome: 'skipped', reason: precondition.reason };
  if (precondition.kind === 'refuse') {
    seen.evidence.push(...(precondition.evidence ?? []));
    const { sentence, next } = precondition;
    return { outcome: 'failed', sentence, ...(next === undefined ? {} : { next }) };
  }
  signal.throwIfAborted();
  const { lines, planned, evidence = [] } = await work.plan();
  seen.plan = lines;
  seen.evidence.push(...evidence);
  if (dryRun) return { outcome: 'skipped', reason: 'Only planned: nothing is changed by a dry run.' };
  signal.throwIfAborted();
  await work.apply?.(planned);
  signal.throwIfAborted();
  const verified = await work.verify(planned);
  seen.evidence.push(...verified.evidence);
  return verified.result;
}

/**
 * Whatever throws, or takes too long, is a failure of this hook. Its signal is aborted when its time is up, and it is
 * waited for a while longer: what cannot be stopped is said.
 */
async function withinTime(
  { id, timeoutSeconds }: Hook,
  timer: AbortController,
  graceSeconds: number,
  work: () => Promise<HookResult>,
): Promise<HookResult> {
  const working = work().catch(failureOf);
  const inTime = await waitFor(working, timeoutSeconds);
  if (inTime !== undefined) return inTime;
  timer.abort();
  const ended = (await waitFor(working, graceSeconds)) !== undefined;
  const running = ` It did not stop for another ${graceSeconds} s and may still be running.`;
  return {
    outcome: 'failed',
    sentence: `Hook ${id} was not ready after ${timeoutSeconds} s.${ended ? '' : running}`,
    next: 'Find out what it waited for, or give it more time (timeoutSeconds).',
  };
}

/** Undefined: it was not there in that time. */
async function waitFor<T>(work: Promise<T>, seconds: number): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), seconds * 1000);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function failureOf(error: unknown): HookResult {
  const next = error instanceof RekindleError ? error.next : undefined;
  const sentence = errorChain(error).join(': ').slice(0, 2000);
  return {
    outcome: 'failed',
    sentence: sentence === '' ? 'It failed without a word.' : sentence,
    ...(next === undefined ? {} : { next }),
  };
}

/** Why a restore may not start: every failed preflight hook, in words. Empty: it may. */
export function failuresOf(records: readonly HookRecord[]): string[] {
  return records.flatMap(({ title, result }) =>
    result.outcome === 'failed' ? [`${title}: ${result.sentence}`] : [],
  );
}
