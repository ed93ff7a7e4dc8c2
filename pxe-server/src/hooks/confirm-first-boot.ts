import { errorChain } from '#base/errors.ts';
import type { Hook, HookPlan } from '#contract/hook.ts';
import { type HookRecord, sentenceOf } from '#contract/hook-result.ts';
import { hookRecordsOf, type RunReport } from '#contract/run-report.ts';
import { amendReport } from '../jobs/amend-report.ts';
import { tickSettled } from '../jobs/checklist.ts';
import { reportFolder } from '../jobs/close-run.ts';
import type { Job } from '../jobs/job-store.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { silentHooks, withFirstBoot } from './first-boot-records.ts';
import { noteConfirmed } from './hook-store.ts';
import { withinHookTime } from './hook-time.ts';
import { readImageUnderRestore } from './image-under-restore.ts';
import { type BoundServerHook, serverHookOf } from './run-preflight.ts';
import type { Confirmed, ImageUnderRestore } from './server-hook.ts';

export interface ConfirmTry {
  /** The service ends: nothing is written, and its next start begins anew. */
  readonly stopping: AbortSignal;
  /** There is no other try after it: what cannot be looked at stays unverified, and the report is closed. */
  readonly isLast: boolean;
}

/**
 * Looks at the world for what the station said of itself, and closes the report. Twice is like once.
 * @throws whatever cannot be read or written, and when the service ends meanwhile
 */
export async function confirmFirstBoot(
  context: ServiceContext,
  job: Job,
  plan: HookPlan,
  { stopping, isLast }: ConfirmTry,
): Promise<void> {
  const { state, signingKey, paths, log } = context;
  const folder = reportFolder(paths, job);
  const run = amendReport(state, signingKey, folder, () => undefined);
  const claims = run.state === 'closed' ? [] : toConfirm(run, plan);
  const image = claims.length === 0 ? undefined : await readImage(context, job, isLast);
  const looks = image === undefined ? [] : claims.map((claim): Look => ({ ...claim, plan, run, image }));
  const looked: { readonly record: HookRecord; readonly settled: Confirmed['settled'] }[] = [];
  for (const each of looks) {
    const { reported } = each;
    const { result, evidence, settled } = await look(context, each, stopping).catch((error: unknown) => {
      stopping.throwIfAborted();
      return unconfirmed(reported, error);
    });
    const record = { ...reported, result, evidence: [...reported.evidence, ...evidence] };
    looked.push({ record, settled });
  }
  stopping.throwIfAborted();
  const settled = looked.flatMap((each) => each.settled ?? []);
  const closed = amendReport(state, signingKey, folder, (now) => {
    noteConfirmed(state, job.id);
    // By a person, meanwhile.
    if (now.state === 'closed') return undefined;
    return {
      report: {
        ...withFirstBoot(now, [...looked.map(({ record }) => record), ...silentHooks(now, plan)]),
        state: 'closed',
        checklist: tickSettled(now.checklist, settled, new Date()),
      },
      amendment: { by: 'the service', what: 'every staged hook has answered' },
    };
  });
  log.info({ job: job.id, station: job.station, hooks: closed.hooks.length }, 'first boot reported');
}

type Confirm = NonNullable<BoundServerHook['confirm']>;

interface Claim {
  readonly hook: Hook;
  readonly reported: HookRecord;
  readonly confirm: Confirm;
}

/** What the station holds to be done and the service can look at, in the plan's order. */
function toConfirm(run: RunReport, plan: HookPlan): Claim[] {
  return plan.hooks.flatMap((hook) => {
    const confirm = serverHookOf(hook)?.confirm;
    const reported = run.hooks.find(({ hook: id, phase }) => id === hook.id && phase === 'first-boot');
    if (confirm === undefined || reported === undefined) return [];
    if (reported.result.outcome !== 'done' && reported.result.outcome !== 'unverified') return [];
    return [{ hook, reported, confirm }];
  });
}

type ReadImage = ImageUnderRestore | { readonly unreadable: unknown };

/** Undefined: the job has none. An image that has gone for good must not keep the report open for ever. */
async function readImage(context: ServiceContext, job: Job, isLast: boolean): Promise<ReadImage | undefined> {
  try {
    return await readImageUnderRestore(context, job);
  } catch (unreadable) {
    if (!isLast) throw unreadable;
    return { unreadable };
  }
}

interface Look extends Claim {
  readonly plan: HookPlan;
  readonly run: RunReport;
  readonly image: ReadImage;
}

async function look(
  { paths }: ServiceContext,
  { plan, run, image, hook, reported, confirm }: Look,
  stopping: AbortSignal,
): Promise<Confirmed> {
  if ('unreadable' in image) throw image.unreadable;
  const earlier = hookRecordsOf(run);
  return withinHookTime(
    hook,
    (signal) => confirm({ plan, image, earlier, siteFolder: paths.folder, signal }, reported),
    stopping,
  );
}

function unconfirmed(reported: HookRecord, error: unknown): Confirmed {
  const why = `The station says: ${sentenceOf(reported.result)} It could not be confirmed from here: ${errorChain(error).join(': ')}`;
  return { result: { outcome: 'unverified', sentence: why.slice(0, 2000) }, evidence: [] };
}
