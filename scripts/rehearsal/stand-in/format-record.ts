import type { RehearsalRecord } from '#contract/rehearsal-record.ts';

/** A record as a person reads it at the end of a rehearsal. */
export function formatRecord(record: RehearsalRecord): string {
  const { recovery, stages } = record;
  const seconds = (value: number | null): string => (value === null ? 'not reached' : `${value} s`);
  return [
    `${record.kind.toUpperCase()}: ${record.station}, ${record.outcome}`,
    `  image       ${record.image}`,
    `  machine     ${record.firmware === 'uefi' ? 'UEFI' : 'BIOS'}, emulated (${record.accelerator})`,
    `  from power-on: runtime ${seconds(recovery.runtimeSeconds)}, restored ${seconds(recovery.restoredSeconds)}`,
    `  started     ${record.started}`,
    '',
    ...stages.map(
      ({ title, outcome, seconds: took, sentence }) =>
        `${outcome === 'done' ? 'ok  ' : 'FAIL'} ${took.toFixed(1).padStart(6)} s  ${title}${sentence === '' ? '' : `\n                 ${sentence}`}`,
    ),
    ...section('Proven', record.proven),
    ...section('Not verified', record.unverified),
    ...record.reasons.map(
      (reason, depth) => `${'  '.repeat(depth)}${depth === 0 ? '' : 'because: '}${reason}`,
    ),
  ].join('\n');
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)];
