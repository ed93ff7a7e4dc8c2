import { checkBoot } from './check-boot.ts';
import { checkDisks } from './check-disks.ts';
import { checkWindows, type ExpectedWindows } from './check-windows.ts';
import type { Evidence } from './evidence.ts';
import { type Finding, fatal, right } from './finding.ts';
import { locateWindows } from './locate-windows.ts';
import type { WindowsFacts } from './windows-facts.ts';

export interface Inspection {
  readonly findings: readonly Finding[];
  readonly facts: WindowsFacts | null;
}

/** Whether the Windows on these disks can be expected to start as the station that it is to be. Pure. */
export function inspectWindows(evidence: Evidence, expected?: ExpectedWindows): Inspection {
  const located = locateWindows(evidence);
  const findings = checkDisks(evidence);
  if (located.kind === 'not-found')
    return { findings: [...findings, fatal('windows', `No Windows to start: ${located.why}.`)], facts: null };
  const { windows } = located;
  findings.push(
    right(
      'windows',
      `Windows is in ${windows.installation.systemRoot} on partition ${windows.volume.partition.number}.`,
    ),
    ...checkBoot(located),
    ...checkWindows(located, expected),
  );
  return { findings, facts: windows.installation.facts };
}

/** Whether there is anything of Windows at all: a station with Linux is not inspected. Pure. */
export function hasWindows({ disks }: Evidence): boolean {
  return disks.some(({ volumes }) =>
    volumes.some(
      ({ bootStore, installation, bootSector }) =>
        bootStore !== null || installation !== null || bootSector.kind === 'bitlocker',
    ),
  );
}

/** One sentence, or the fatal ones in a row: what a person reads who reads nothing else. Pure. */
export function summariseInspection({ findings }: Inspection): {
  readonly fatal: boolean;
  readonly sentence: string;
} {
  const sentencesOf = (outcome: Finding['outcome']) =>
    findings.filter((finding) => finding.outcome === outcome).map(({ sentence }) => sentence);
  const fatals = sentencesOf('fatal');
  if (fatals.length > 0) return { fatal: true, sentence: fatals.join(' ') };
  const warnings = sentencesOf('warning');
  const open = sentencesOf('unknown').length;
  const right = `${findings.length - warnings.length - open} of ${findings.length} checks are right`;
  const rest = open === 0 ? '' : `, ${open} could not be decided`;
  return { fatal: false, sentence: [`${right}${rest}.`, ...warnings].join(' ') };
}
