import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorChain } from '#base/errors.ts';
import { reportFileName } from '../jobs/amend-report.ts';
import { reportFolder } from '../jobs/close-run.ts';
import { findJob } from '../jobs/job-store.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { confirmFirstBoot } from './confirm-first-boot.ts';
import { findJobHooks, listUnconfirmed, noteConfirmed } from './hook-store.ts';

/** The service's own looks after first boots, each in the background until its report is closed. */
export interface FirstBootConfirmations {
  /** The last report of this job was taken. A look that is under way already is not begun a second time. */
  begin(jobId: string): void;
  /** Breaks off what runs; it is begun anew at the next start. */
  close(): Promise<void>;
}

/** Between two tries; after the last one it is left to the next start of the service. */
const triesAgainAfterMs: readonly number[] = [60_000, 300_000, 900_000, 1_800_000];

const endsWithinMs = 5000;

/** Begins with what an earlier run of the service has left open. @param pausesMs one less than there are tries */
export function createConfirmations(
  context: ServiceContext,
  pausesMs: readonly number[] = triesAgainAfterMs,
): FirstBootConfirmations {
  const stopping = new AbortController();
  const running = new Map<string, Promise<void>>();
  const begin = (jobId: string) => {
    if (running.has(jobId) || stopping.signal.aborted) return;
    const followed = follow(context, jobId, pausesMs, stopping.signal);
    running.set(
      jobId,
      followed.finally(() => running.delete(jobId)),
    );
  };
  for (const jobId of listUnconfirmed(context.state)) begin(jobId);
  return {
    begin,
    async close() {
      stopping.abort();
      // A store on a share that hangs heeds nobody.
      await Promise.race([Promise.all(running.values()), sleep(endsWithinMs, undefined, { ref: false })]);
    },
  };
}

/** Never rejects: there is nobody to tell but the log and the journal. */
async function follow(
  context: ServiceContext,
  jobId: string,
  pausesMs: readonly number[],
  stopping: AbortSignal,
): Promise<void> {
  for (const pauseMs of [...pausesMs, undefined]) {
    try {
      return await confirmJob(context, jobId, { stopping, isLast: pauseMs === undefined });
    } catch (error) {
      if (stopping.aborted) return;
      note(context, jobId, error, pauseMs);
      if (pauseMs === undefined) return;
      await sleep(pauseMs, undefined, { ref: false, signal: stopping }).catch(() => undefined);
      if (stopping.aborted) return;
    }
  }
}

async function confirmJob(
  context: ServiceContext,
  jobId: string,
  how: Parameters<typeof confirmFirstBoot>[3],
): Promise<void> {
  const { state, paths, log } = context;
  const job = findJob(state, jobId);
  const hooks = findJobHooks(state, jobId);
  if (job === undefined || hooks === undefined) return;
  const report = join(reportFolder(paths, job), reportFileName);
  if (!existsSync(report)) {
    // Archived or removed by a person: there is nothing to close, now or at any later start.
    noteConfirmed(state, job.id);
    log.warn({ job: job.id, station: job.station, report }, 'first boot not confirmed: its report is gone');
    return;
  }
  await confirmFirstBoot(context, job, hooks.plan, how);
}

/** The state may be what is broken. */
function note(
  { state, journal, log }: ServiceContext,
  jobId: string,
  error: unknown,
  pauseMs: number | undefined,
): void {
  const reasons = errorChain(error);
  const then =
    pauseMs === undefined ? 'at the next start of the service' : `in ${Math.ceil(pauseMs / 60_000)} min`;
  log.error({ job: jobId, reasons, then }, 'first boot not confirmed');
  try {
    const job = findJob(state, jobId);
    if (job === undefined) return;
    const sentence = `first boot not confirmed, tried again ${then}: ${reasons.join(': ')}`.slice(0, 2000);
    journal.record({ machine: job.machine, stage: 'runtime', sentence });
  } catch (unreadable) {
    log.error({ job: jobId, reasons: errorChain(unreadable) }, 'the job cannot be read');
  }
}
