import { formatBytes } from '#base/bytes.ts';
import { type HookRecord, sentenceOf } from '#contract/hook-result.ts';
import { exitCodeOfReport, hookRecordsOf, type RunReport } from '#contract/run-report.ts';

/** A run report as a person reads it, for a terminal of 80 columns and for paper. */
export function formatRunReport(report: RunReport): string {
  const { machine, startedBy, checklist, amendments } = report;
  return [
    ...(report.kind === undefined
      ? []
      : [`*** ${report.kind.toUpperCase()}: this says nothing about the hardware of the station ***`, '']),
    `Run report of station ${report.station}: ${machine.outcome.toUpperCase()} (exit code ${exitCodeOfReport(report)})`,
    ...(report.state === 'closed' ? [] : ['  state       waits for the first boot of the station']),
    `  image       ${report.image ?? 'none'}`,
    `  manifest    ${report.manifestSha256 ?? 'none'}`,
    `  started by  ${startedBy.technician}${startedBy.how === 'armed' ? ', armed' : ''}`,
    `  from, to    ${report.openedAt} - ${report.closedAt}`,
    ...(machine.bootTrust === undefined
      ? []
      : [
          `  boot trust  Secure Boot ${machine.bootTrust.secureBoot}, kernel lockdown ${machine.bootTrust.kernelLockdown}`,
        ]),
    ...section('Reasons', machine.reasons),
    ...section(
      'Boot',
      report.boot.map(({ at, sentence }) => `${at.slice(11, 19)}  ${sentence}`),
    ),
    ...section(
      'Hardware',
      machine.differences.map(
        ({ severity, sentence, field }) =>
          `${severity}${machine.confirmed.includes(field) ? ', confirmed' : ''}: ${sentence}`,
      ),
    ),
    ...section(
      'Steps',
      machine.steps.map(
        ({ title, outcome, seconds, sentence }) =>
          `${outcome.padEnd(8)}${seconds.toFixed(1).padStart(8)} s  ${title}: ${sentence}`,
      ),
    ),
    ...machine.disks.flatMap((disk) => [
      '',
      `Disk ${disk.number}: ${disk.model}, serial ${disk.serial ?? disk.wwn ?? 'unknown'}, ${formatBytes(disk.sizeBytes)}`,
      ...disk.restored.map(({ what, sizeBytes }) => `  restored    ${what}, ${formatBytes(sizeBytes)}`),
      ...disk.kept.map(({ what, sizeBytes }) => `  untouched   ${what}, ${formatBytes(sizeBytes)}`),
      `  chunks      ${disk.chunks.written} written, ${disk.chunks.alreadyRight} right already, ${disk.chunks.verified} verified`,
      `  bytes       ${formatBytes(disk.bytes.fetched)} fetched, ${formatBytes(disk.bytes.written)} written, ${formatBytes(disk.bytes.verified)} verified`,
    ]),
    ...section('Hooks', hookRecordsOf(report).flatMap(hookText)),
    ...section('Not verified', machine.unverified),
    ...section(
      'To do by a person',
      checklist.map(
        ({ id, what, ticked }) =>
          `[${ticked === null ? ' ' : 'x'}] ${id}: ${what}${
            ticked === null
              ? ''
              : ` (${ticked.by}, ${ticked.at}${ticked.note === '' ? '' : `: ${ticked.note}`})`
          }`,
      ),
    ),
    ...section(
      'Added afterwards',
      amendments.map(({ at, by, what }) => `${at}  ${by}: ${what}`),
    ),
  ].join('\n');
}

function hookText({ title, phase, result, evidence, plan }: HookRecord): string[] {
  return [
    `${result.outcome.padEnd(10)} ${phase.padEnd(10)} ${title}: ${sentenceOf(result)}`,
    ...plan.map(({ kind, sentence }) => `             ${kind}: ${sentence}`),
    ...evidence.map(
      ({ name, value }) => `             ${name}: ${value.trim().replaceAll('\n', '\n             ')}`,
    ),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)];
}
