import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { RunReport } from '#contract/run-report.ts';
import { parseSecretKey, signBytes } from '#images/format/minisign.ts';
import { writeFileDurably } from '#images/stores/durable-write.ts';
import { formatMachineReport } from '#runtime/engine/findings.ts';
import { formatLocalReport } from '#runtime/engine/local-report.ts';
import type { LocalRestore } from '#runtime/local-restore.ts';

export interface LocalReport {
  /** For runs that failed before the image could be read. */
  readonly station: string;
  readonly technician: string;
  readonly openedAt: Date;
  /** Secret key of the site, when this machine has it. */
  readonly signingKey: string;
}

/** @returns the report as a file holds it; `isSigned`: a signature will stand beside it */
function reportOf(restored: LocalRestore, facts: LocalReport, isSigned: boolean): RunReport {
  const { ending, findings, steps, image } = restored;
  if (!isSigned) {
    findings.unverified.push(
      'Who wrote this report: the machine that was restored has no signing key of the site, so it is not signed.',
    );
  }
  const { station, technician, openedAt } = facts;
  return formatLocalReport({
    ...{ station, technician, openedAt, closedAt: new Date(), image },
    machine: formatMachineReport({ runId: randomUUID(), purpose: 'recovery' }, findings, steps, ending),
  });
}

/** @returns what to tell the person */
export async function writeLocalReport(
  file: string,
  restored: LocalRestore,
  facts: LocalReport,
): Promise<string> {
  // Most stations have no site folder, and nobody brings a signing key to one.
  const keyText = await readFile(facts.signingKey, 'utf8').catch(() => undefined);
  const report = reportOf(restored, facts, keyText !== undefined);
  const bytes = Buffer.from(`${JSON.stringify(report, null, 2)}\n`);
  await writeFileDurably(resolve(file), bytes);
  if (keyText === undefined)
    return `The report is ${file}; it is not signed: no signing key of the site is here.`;
  const comment = `rekindle run report ${report.jobId} ${report.station}`;
  const signature = signBytes(bytes, parseSecretKey(keyText), comment);
  await writeFileDurably(resolve(`${file}.minisig`), Buffer.from(signature));
  return `The report is ${file}, signed in ${file}.minisig.`;
}
