import { join } from 'node:path';
import { errorChain, RekindleError } from '#base/errors.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import { onStandIn } from '#contract/rehearsal-record.ts';
import { type MachineReport, type RunReport, runReportSchema } from '#contract/run-report.ts';
import { formatImageRef, formatUtc, parseImageName } from '#images/format/image-name.ts';
import { comparePassports } from '#images/passport/compare-passports.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { makeFolderDurably } from '#images/stores/durable-write.ts';
import { findJobHooks, openFirstBoot } from '../hooks/hook-store.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import type { SitePaths } from '../site/site-paths.ts';
import { disarm } from '../stations/arming.ts';
import { findStation, updatePassport } from '../stations/station-registry.ts';
import { writeSignedReport } from './amend-report.ts';
import { checklistFor } from './checklist.ts';
import { closeJob, type Job } from './job-store.ts';

/**
 * The end of a run: report signed and kept, arming used up, passport brought up to date, job closed. The job is
 * closed last, so that a report that was interrupted half way can be sent again. A passport that cannot be kept
 * (a card that is registered to another station by now) is no reason to leave a station armed or a job open.
 */
export async function closeRun(context: ServiceContext, job: Job, machine: MachineReport): Promise<void> {
  const { state, journal, log } = context;
  const closedAt = new Date();
  const done = machine.outcome === 'restored' || machine.outcome === 'captured';
  journal.record({
    machine: job.machine,
    stage: 'runtime',
    sentence: `reports: ${machine.outcome} (exit code ${machine.exitCode})`,
  });
  const station = findStation(state, job.station);
  const hooks = findJobHooks(state, job.id);
  const report = assembleRunReport({
    job,
    machine,
    // What the runtime did, the report says itself.
    boot: (journal.boots(job.machine).at(-1) ?? []).filter(({ stage }) => stage !== 'steps'),
    closedAt,
    hooks: hooks?.preflight ?? [],
    checklist: machine.outcome === 'restored' && station !== undefined ? checklistFor(station.role) : [],
  });
  const folder = reportFolder(context.paths, job);
  await makeFolderDurably(folder);
  writeSignedReport(folder, report, context.signingKey);
  if (report.state === 'awaiting-first-boot') openFirstBoot(state, job.id);

  if (machine.outcome === 'restored') disarm(state, job.station);
  if (done && station !== undefined && machine.passport !== undefined) {
    const confirmed = passportAfterRun(station.passport, machine.passport, machine.confirmed);
    try {
      if (confirmed !== undefined) updatePassport(state, station.name, confirmed);
    } catch (error) {
      if (!(error instanceof RekindleError)) throw error;
      log.error({ station: station.name, reasons: errorChain(error) }, 'passport not brought up to date');
    }
  }
  closeJob(state, job.id, machine, closedAt.getTime());
  log.info({ job: job.id, station: job.station, outcome: machine.outcome, report: folder }, 'run closed');
}

export function reportFolder(
  { reports }: Pick<SitePaths, 'reports'>,
  job: Pick<Job, 'id' | 'station' | 'openedAt'>,
): string {
  return join(reports, job.station, `${formatUtc(job.openedAt)}_${job.id}`);
}

interface ReportParts {
  readonly job: Job;
  readonly machine: MachineReport;
  readonly boot: readonly { readonly at: Date; readonly sentence: string }[];
  readonly closedAt: Date;
  readonly hooks: readonly HookRecord[];
  readonly checklist: RunReport['checklist'];
}

/** Pure: what the machine says, and what the service itself saw. */
function assembleRunReport({ job, machine, boot, closedAt, hooks, checklist }: ReportParts): RunReport {
  const image = parseImageName(job.imageName);
  const published = job.kind === 'restore' || job.manifestSha256 !== null;
  return runReportSchema.parse({
    formatVersion: 1,
    ...(machine.passport?.standIn === true ? { kind: onStandIn } : {}),
    jobId: job.id,
    station: job.station,
    image: image === null || !published ? null : formatImageRef(image),
    manifestSha256: job.manifestSha256,
    startedBy: { how: job.how, technician: job.technician },
    openedAt: job.openedAt.toISOString(),
    closedAt: closedAt.toISOString(),
    boot: boot.map(({ at, sentence }) => ({ at: at.toISOString(), sentence })),
    machine,
    state: machine.hooks.some(({ result }) => result.outcome === 'staged') ? 'awaiting-first-boot' : 'closed',
    hooks: [...hooks],
    checklist: [...checklist],
    amendments: [],
  } satisfies RunReport);
}

/** The machine's passport when every replaced part was confirmed and nothing is fatal; else undefined. */
function passportAfterRun(
  registered: HardwarePassport,
  machine: HardwarePassport,
  confirmed: readonly string[],
): HardwarePassport | undefined {
  const differences = comparePassports(registered, machine);
  const accepted = differences.every(
    ({ severity, field }) =>
      severity === 'note' || (severity === 'replaced-part' && confirmed.includes(field)),
  );
  return accepted ? machine : undefined;
}
