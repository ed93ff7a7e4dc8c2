import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { errorChain, RekindleError } from '#base/errors.ts';
import { type HookRecord, sentenceOf } from '#contract/hook-result.ts';
import { hookRecordsOf, type MachineReport, type RunReport, runReportSchema } from '#contract/run-report.ts';
import { parseSecretKey, signBytes } from '#images/format/minisign.ts';
import { hashFile } from './disk-proof.ts';
import type { FirmwareKind } from './machine-hardware.ts';
import type { Proof, RecoveryTimes } from './recovery-rehearsal.ts';
import type { Stage } from './stage-clock.ts';

/**
 * `rehearsal-report.json`: what one rehearsal did and measured. The run reports of the recoveries in it are
 * named with their SHA-256; each is signed by the service itself.
 */
export interface RehearsalReport {
  readonly formatVersion: 1;
  readonly station: string;
  /** The machine was emulated: this proves the image and the way to it, not the station's hardware. */
  readonly standIn: true;
  readonly firmware: FirmwareKind;
  readonly accelerator: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly outcome: 'passed' | 'failed';
  readonly reasons: readonly string[];
  readonly stages: readonly Stage[];
  readonly recoveries: readonly ReportedRecovery[];
  readonly proofs: readonly Proof[];
  readonly runReports: readonly CollectedRunReport[];
}

export interface ReportedRecovery {
  readonly what: string;
  readonly times: RecoveryTimes;
  /** Its run report, and the comparison of the hardware passports in it. */
  readonly runReport: string;
  readonly differences: MachineReport['differences'];
  readonly steps: MachineReport['steps'];
  /** What the station's hooks did, preflight to first boot, with their evidence. */
  readonly hooks: readonly HookRecord[];
}

export interface CollectedRunReport {
  /** In the evidence folder. */
  readonly file: string;
  readonly sha256: string;
}

export const reportFile = 'rehearsal-report.json';
/** The site's public key: whoever gets the evidence can check every signature in it. */
export const publicKeyFile = 'image-signing.pub';

/** Copies the service's signed run reports into the evidence folder; answers their names and hashes. */
export async function collectRunReports(
  reports: string,
  station: string,
  evidence: string,
): Promise<CollectedRunReport[]> {
  const ofStation = path.join(reports, station);
  const names = (await readdir(ofStation).catch(() => [])).sort();
  return Promise.all(
    names.map(async (name) => {
      const folder = path.join('run-reports', name);
      await mkdir(path.join(evidence, folder), { recursive: true });
      for (const file of ['report.json', 'report.json.minisig']) {
        await writeFile(path.join(evidence, folder, file), await readFile(path.join(ofStation, name, file)));
      }
      const file = path.join(folder, 'report.json');
      return { file, sha256: await hashFile(path.join(evidence, file)) };
    }),
  );
}

/** What each recovery's own report says, in the order in which they were made. */
export async function reportRecoveries(
  evidence: string,
  measured: readonly Pick<ReportedRecovery, 'what' | 'times'>[],
  runReports: readonly CollectedRunReport[],
): Promise<ReportedRecovery[]> {
  const all = await Promise.all(
    runReports.map(async ({ file }) => ({ file, ...(await readRunReport(evidence, file)) })),
  );
  const restored = all.filter(({ machine }) => machine.outcome === 'restored');
  return measured.map((recovery, at) => {
    const run = restored[at];
    if (run === undefined) {
      throw new RekindleError(
        'verification-failed',
        `there is no run report of the recovery: ${recovery.what}`,
      );
    }
    const { differences, steps } = run.machine;
    return { ...recovery, runReport: run.file, differences, steps, hooks: hookRecordsOf(run) };
  });
}

async function readRunReport(evidence: string, file: string): Promise<RunReport> {
  return runReportSchema.parse(JSON.parse(await readFile(path.join(evidence, file), 'utf8')));
}

/** Writes the report, its minisign signature by the site's key, and the same as text. */
export async function writeRehearsalReport(
  evidence: string,
  report: RehearsalReport,
  secretKeyText: string,
): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(report, null, 2)}\n`);
  const file = path.join(evidence, reportFile);
  await writeFile(file, bytes);
  await writeFile(
    `${file}.minisig`,
    signBytes(bytes, parseSecretKey(secretKeyText), `rehearsal of ${report.station} ${report.startedAt}`),
  );
  await writeFile(path.join(evidence, 'rehearsal-report.txt'), await formatRehearsalReport(evidence, report));
}

/** The report as a person reads it at the end of a rehearsal. */
export async function formatRehearsalReport(evidence: string, report: RehearsalReport): Promise<string> {
  const lines = [
    `Rehearsal of ${report.station}: ${report.outcome}, ${report.seconds} s`,
    `${report.firmware === 'uefi' ? 'UEFI' : 'BIOS'}, an emulated stand-in (${report.accelerator}), ${report.startedAt}`,
    '',
    ...report.stages.map(
      ({ title, outcome, seconds, sentence }) =>
        `${outcome === 'done' ? 'ok  ' : 'FAIL'} ${seconds.toFixed(1).padStart(6)} s  ${title}${
          sentence === '' ? '' : `\n                 ${sentence}`
        }`,
    ),
    '',
    ...report.recoveries.flatMap(({ what, times, differences, hooks }) => [
      `${what}: runtime ${times.powerOnToRuntime} s, restored ${times.powerOnToRestored} s, log-on ${times.powerOnToLogOn} s after power-on`,
      ...(differences.length === 0 ? ['  identical hardware'] : []),
      ...differences.map(({ severity, sentence }) => `  ${severity}: ${sentence}`),
      ...hooks.map(
        ({ phase, title, result }) => `  ${phase}: ${title}: ${result.outcome}: ${sentenceOf(result)}`,
      ),
    ]),
    ...report.proofs.map(({ what, found }) => `equal: ${what} ${shortened(found)}`),
    ...(await Promise.all(report.runReports.map(({ file }) => summariseRunReport(evidence, file)))),
    ...report.reasons.map(
      (reason, depth) => `${'  '.repeat(depth)}${depth === 0 ? '' : 'because: '}${reason}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

/** A hash is known by its beginning. */
const shortened = (found: string): string =>
  /^[0-9a-f]{64}$/.test(found) ? `${found.slice(0, 16)}…` : `(${found || 'nothing'})`;

async function summariseRunReport(evidence: string, file: string): Promise<string> {
  const { machine } = await readRunReport(evidence, file);
  const written = machine.disks.reduce((sum, disk) => sum + disk.bytes.written, 0);
  const verified = machine.disks.reduce((sum, disk) => sum + disk.bytes.verified, 0);
  const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
  const disks =
    verified === 0 ? '' : `, ${mebibytes(written)} written, ${mebibytes(verified)} read back and verified`;
  return `run report: ${machine.outcome}${disks}, ${machine.differences.length} differences, signed: ${path.dirname(file)}`;
}

export const reasonsOf = (error: unknown): string[] => errorChain(error);
