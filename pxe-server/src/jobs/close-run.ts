import { join } from 'node:path';
import { errorChain, RekindleError } from '#base/errors.ts';
import { onStandIn } from '#contract/rehearsal-record.ts';
import { type MachineReport, type RunReport, runReportSchema } from '#contract/run-report.ts';
import { formatImageRef, formatUtc, parseImageName } from '#images/format/image-name.ts';
import { signBytes } from '#images/format/minisign.ts';
import { comparePassports } from '#images/passport/compare-passports.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { makeFolderDurably, writeFileDurably } from '#images/stores/durable-write.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { disarm } from '../stations/arming.ts';
import { findStation, updatePassport } from '../stations/station-registry.ts';
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
  // What the runtime did, the report says itself.
  const boot = (journal.boots(job.machine).at(-1) ?? []).filter(({ stage }) => stage !== 'steps');
  const report = assembleRunReport(job, machine, boot, closedAt);
  const folder = join(context.paths.reports, job.station, `${formatUtc(job.openedAt)}_${job.id}`);
  await writeReport(folder, report, context);

  if (machine.outcome === 'restored') disarm(state, job.station);
  const station = findStation(state, job.station);
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

/** Pure: what the machine says, and what the service itself saw. */
function assembleRunReport(
  job: Job,
  machine: MachineReport,
  boot: readonly { readonly at: Date; readonly sentence: string }[],
  closedAt: Date,
): RunReport {
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

/** `minisign -V -p image-signing.pub -m report.json` checks it too. */
async function writeReport(folder: string, report: RunReport, { signingKey }: ServiceContext): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(report, null, 2)}\n`);
  await makeFolderDurably(folder);
  await writeFileDurably(join(folder, 'report.json'), bytes);
  const what = report.kind === undefined ? 'run report' : `run report, ${report.kind},`;
  const comment = `rekindle ${what} ${report.jobId} ${report.station}`;
  await writeFileDurably(
    join(folder, 'report.json.minisig'),
    Buffer.from(signBytes(bytes, signingKey, comment)),
  );
}
