import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HookPlan, hookPlanSchema } from '#contract/hook.ts';
import { type RunReport, runReportSchema } from '#contract/run-report.ts';
import { firstBootKey } from '#pxe-server/hooks/first-boot-key.ts';
import { keepPreflight } from '#pxe-server/hooks/hook-store.ts';
import { closeRun, reportFolder } from '#pxe-server/jobs/close-run.ts';
import { findJob, openJob } from '#pxe-server/jobs/job-store.ts';
import type { ServiceContext } from '#pxe-server/serve/service-context.ts';
import type { StationRole } from '#pxe-server/stations/station.ts';

/** A restore that the service knows of, and whose first boot it waits for. */
export interface ReportedJob {
  readonly jobId: string;
  readonly key: Buffer;
  readonly plan: HookPlan;
  readonly reportFile: string;
  report(): RunReport;
}

export const reportedMachine = '52:54:00:00:00:01';

/**
 * @param hooks as in a station's plan; each is staged
 * @param more the image; without one it is not in the store, and nothing is confirmed
 */
export async function openReportedJob(
  context: ServiceContext,
  station: string,
  hooks: readonly object[],
  { imageName = 'none', stationRole = 'server' }: { imageName?: string; stationRole?: StationRole } = {},
): Promise<ReportedJob> {
  const plan = hookPlanSchema.parse({ station, stationRole, hooks });
  const jobId = openJob(context.state, {
    kind: 'restore',
    station,
    imageName,
    manifestSha256: null,
    how: 'technician',
    technician: 'meier',
    machine: reportedMachine,
  });
  const job = findJob(context.state, jobId);
  if (job === undefined) throw new Error('the job was opened');
  keepPreflight(context.state, jobId, plan, []);
  await closeRun(context, job, {
    formatVersion: 1,
    runId: '0d9d4a5e-6a0e-4c7a-9a51-2d7f0c1c7d11',
    purpose: 'recovery',
    outcome: 'restored',
    exitCode: 0,
    reasons: [],
    differences: [],
    confirmed: [],
    disks: [],
    unverified: [],
    steps: [],
    hooks: plan.hooks.map(({ id, kind }) => ({
      hook: id,
      kind,
      phase: 'offline',
      title: id,
      plan: [],
      result: { outcome: 'staged', sentence: 'It runs at the first start.' },
      evidence: [],
      startedAt: new Date().toISOString(),
      seconds: 0,
    })),
  });
  const reportFile = join(reportFolder(context.paths, job), 'report.json');
  return {
    jobId,
    key: firstBootKey(context.signingKey, jobId),
    plan,
    reportFile,
    report: () => runReportSchema.parse(JSON.parse(readFileSync(reportFile, 'utf8'))),
  };
}
