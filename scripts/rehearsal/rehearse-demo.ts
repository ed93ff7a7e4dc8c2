import { copyFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '#base/make-folder.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { makeTrustStale } from './domain-rehearsal.ts';
import { chooseAccelerator } from './kvm-probe.ts';
import type { FirmwareKind } from './machine-hardware.ts';
import {
  enrolAndCaptureStation,
  type Proof,
  type RecoveryTimes,
  rehearseBlankDisk,
  rehearseDamagedSystem,
} from './recovery-rehearsal.ts';
import { openRehearsalLab } from './rehearsal-lab.ts';
import {
  collectRunReports,
  publicKeyFile,
  type RehearsalReport,
  reasonsOf,
  reportRecoveries,
  writeRehearsalReport,
} from './rehearsal-report.ts';
import { startStageClock } from './stage-clock.ts';

export interface DemoRehearsal {
  readonly firmware: FirmwareKind;
  /** Built things, kept from one rehearsal to the next. */
  readonly stateDirectory: string;
  /** Folder of this rehearsal's console transcripts, screens and reports. */
  readonly evidence: string;
  readonly onProgress: (line: string) => void;
  /** The station is a member of a domain, whose trust goes stale and is repaired by the hooks of its second recovery. */
  readonly withDomain: boolean;
}

/** The whole way, once: enrol, capture, two disasters, two recoveries, proofs, a signed report. */
export async function rehearseDemo(rehearsal: DemoRehearsal): Promise<RehearsalReport> {
  const { firmware, stateDirectory, evidence, onProgress, withDomain } = rehearsal;
  const startedAt = new Date();
  const begun = performance.now();
  await makeFolder(evidence);
  const clock = startStageClock(onProgress);
  const recoveries: { what: string; times: RecoveryTimes }[] = [];
  const proofs: Proof[] = [];

  await using lab = await clock.run('Building what has changed and starting the lab', (say) =>
    openRehearsalLab({ firmware, stateDirectory, evidence, onProgress: say, withDomain }),
  );
  const reasons: string[] = [];
  try {
    const image = await enrolAndCaptureStation(lab, clock);
    const blank = await rehearseBlankDisk(lab, clock, image);
    recoveries.push({ what: 'Blank disk', times: blank.times });
    proofs.push(...blank.proofs);
    const trust = lab.domain === undefined ? undefined : await makeTrustStale(lab, lab.domain, clock, image);
    const damaged = await rehearseDamagedSystem(lab, clock, image, blank, trust);
    recoveries.push({ what: 'Damaged system partition', times: damaged.times });
    proofs.push(...damaged.proofs);
  } catch (error) {
    reasons.push(...reasonsOf(error));
  }

  const site = sitePaths(lab.site.directory);
  await copyFile(site.imageSigningPublicKey, path.join(evidence, publicKeyFile));
  const runReports = await collectRunReports(site.reports, lab.station.hostname, evidence);
  const report: RehearsalReport = {
    formatVersion: 1,
    station: lab.station.hostname,
    standIn: true,
    firmware,
    accelerator: await chooseAccelerator(),
    startedAt: startedAt.toISOString(),
    seconds: Math.round((performance.now() - begun) / 100) / 10,
    outcome: reasons.length === 0 ? 'passed' : 'failed',
    reasons,
    stages: clock.stages,
    recoveries: await reportRecoveries(evidence, recoveries, runReports),
    proofs,
    runReports,
  };
  await writeRehearsalReport(evidence, report, await readFile(site.imageSigningKey, 'utf8'));
  return report;
}
