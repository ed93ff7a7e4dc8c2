import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { type RunReport, runReportSchema } from '#contract/run-report.ts';
import { type PublicKey, type SecretKey, signBytes, verifySignature } from '#images/format/minisign.ts';
import { inDurableTransaction, type State } from '../site/state.ts';

export interface Amendment {
  readonly by: string;
  readonly what: string;
}

/** What a change answers: the new report and what to write about it, or undefined to leave it as it is. */
export type ReportChange = (
  report: RunReport,
) => { readonly report: RunReport; readonly amendment: Amendment } | undefined;

/**
 * Changes a signed report and signs it anew. The service and `rekindle report` may both want to, so the state's write
 * lock is held meanwhile, and everything in it is synchronous. A report whose signature is wrong is not touched. What
 * the change itself writes into the state is never kept without the report.
 * @param folder of the report
 * @throws RekindleError `verification-failed`
 */
export function amendReport(
  state: State,
  signingKey: SecretKey & PublicKey,
  folder: string,
  change: ReportChange,
  now = new Date(),
): RunReport {
  return inDurableTransaction(state, () => {
    const report = readSignedReport(folder, signingKey);
    const changed = change(report);
    if (changed === undefined) return report;
    const next = runReportSchema.parse({
      ...changed.report,
      amendments: [...changed.report.amendments, { at: now.toISOString(), ...changed.amendment }],
    } satisfies RunReport);
    writeSignedReport(folder, next, signingKey);
    return next;
  });
}

export const reportFileName = 'report.json';
const signatureFileName = 'report.json.minisig';

function readSignedReport(folder: string, key: PublicKey): RunReport {
  const file = join(folder, reportFileName);
  try {
    const bytes = readFileSync(file);
    verifySignature(bytes, readFileSync(join(folder, signatureFileName), 'utf8'), key, `report ${file}`);
    return runReportSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    if (cause instanceof RekindleError) throw cause;
    throw new RekindleError('verification-failed', `Reading the run report ${file}`, { cause });
  }
}

/** `minisign -V -p image-signing.pub -m report.json` checks it too. */
export function writeSignedReport(folder: string, report: RunReport, signingKey: SecretKey): void {
  const bytes = Buffer.from(`${JSON.stringify(report, null, 2)}\n`);
  const what = report.kind === undefined ? 'run report' : `run report, ${report.kind},`;
  const comment = `rekindle ${what} ${report.jobId} ${report.station}`;
  // Both are on the disk before either has its name: the moment in which they do not fit is as short as it can be.
  const signature = writeBeside(
    join(folder, signatureFileName),
    Buffer.from(signBytes(bytes, signingKey, comment)),
  );
  const text = writeBeside(join(folder, reportFileName), bytes);
  signature();
  text();
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function writeBeside(file: string, bytes: Uint8Array): () => void {
  const temporary = `${file}.new`;
  const handle = openSync(temporary, 'w', 0o644);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  return () => renameSync(temporary, file);
}
