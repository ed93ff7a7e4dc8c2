import { onStandIn } from '#contract/rehearsal-record.ts';
import { type MachineReport, type RunReport, runReportSchema } from '#contract/run-report.ts';
import { formatImageRef, formatUtc } from '#images/format/image-name.ts';
import type { SignedImage } from '../steps/open-job.ts';

export interface LocalRunFacts {
  /** For runs that failed before the image could be read. */
  readonly station: string;
  /** As typed, or as the system says; no service has checked it. */
  readonly technician: string;
  readonly openedAt: Date;
  readonly closedAt: Date;
  readonly image: Pick<SignedImage, 'manifest' | 'manifestSha256'> | undefined;
  readonly machine: MachineReport;
}

/** The report of a restore without the service, as `rekindle report show` reads it. */
export function formatLocalReport(facts: LocalRunFacts): RunReport {
  const { image, machine } = facts;
  const manifest = image?.manifest;
  return runReportSchema.parse({
    formatVersion: 1,
    ...(machine.passport?.standIn === true ? { kind: onStandIn } : {}),
    jobId: `local-${machine.runId}`,
    station: manifest?.station ?? facts.station,
    image:
      manifest === undefined
        ? null
        : formatImageRef({ station: manifest.station, utc: formatUtc(new Date(manifest.capturedAt)) }),
    manifestSha256: image?.manifestSha256 ?? null,
    startedBy: { how: 'technician', technician: facts.technician },
    openedAt: facts.openedAt.toISOString(),
    closedAt: facts.closedAt.toISOString(),
    boot: [],
    machine,
    state: 'closed',
    hooks: [],
    checklist: [],
    amendments: [],
  } satisfies RunReport);
}
