import type { Evidence, HookResult } from './hook-result.ts';

/**
 * What the station's T-SQL script (recovery-runtime/src/hooks/sql/station-script.ts) prints, one line a database:
 *
 *     database <ACTION> <outcome> <error number> <name>
 *
 * The name as it is when it is plain ASCII; otherwise `0x` and its UTF-16LE bytes, since nobody knows in which code
 * page sqlcmd writes.
 */
const cleanupOutcomes = ['done', 'absent', 'changed', 'failed', 'listed', 'kept'] as const;
export type CleanupOutcome = (typeof cleanupOutcomes)[number];

export interface CleanupLine {
  readonly name: string;
  readonly action: 'DROP' | 'DETACH' | 'KEEP' | 'REPORT';
  readonly outcome: CleanupOutcome;
  /** Of SQL Server; 0: none. */
  readonly errorNumber: number;
}

const linePattern =
  /^database (DROP|DETACH|KEEP|REPORT) (done|absent|changed|failed|listed|kept) (\d+) (.+)$/;

export function parseCleanupLines(output: string): CleanupLine[] {
  return output.split(/\r?\n/).flatMap((line) => {
    const [, action, outcome, number, name] = linePattern.exec(line) ?? [];
    if (name === undefined) return [];
    return [
      {
        name: decodeName(name),
        action: action as CleanupLine['action'],
        outcome: outcome as CleanupOutcome,
        errorNumber: Number(number),
      },
    ];
  });
}

function decodeName(name: string): string {
  const [, hex] = /^0x((?:[0-9A-F]{4})+)$/.exec(name) ?? [];
  return hex === undefined ? name : Buffer.from(hex, 'hex').toString('utf16le');
}

/** Pure: what the lines of one run mean. */
export function judgeCleanup(lines: readonly CleanupLine[]): {
  readonly result: HookResult;
  readonly evidence: Evidence[];
} {
  // More than a report takes are counted, not named.
  const evidence = lines.slice(0, 40).map(({ action, outcome, errorNumber, name }) => ({
    name: `${action} ${name}`.slice(0, 200),
    value: errorNumber === 0 ? outcome : `${outcome}, error ${errorNumber}`,
  }));
  if (lines.length > evidence.length)
    evidence.push({ name: 'more databases', value: String(lines.length - evidence.length) });
  return { result: resultOf(lines), evidence };
}

function resultOf(lines: readonly CleanupLine[]): HookResult {
  const named = (wanted: readonly CleanupLine[]) => wanted.map(({ name }) => name).join(', ');
  const left = lines.filter(({ outcome }) => outcome === 'failed' || outcome === 'changed');
  const open = lines.filter(({ outcome }) => outcome === 'listed');
  const gone = lines.filter(({ outcome }) => outcome === 'done');
  if (lines.length === 0)
    return { outcome: 'unverified', sentence: 'SQL Server named no database, not even its own.' };
  if (left.length > 0) {
    return {
      outcome: 'failed',
      sentence: `Still there: ${named(left)}`.slice(0, 2000),
      next: 'Detach them by hand in SQL Server Management Studio, before WinCC starts.',
    };
  }
  if (open.length > 0) {
    return {
      outcome: 'unverified',
      sentence: `${gone.length} databases cleared; a person has to decide: ${named(open)}`.slice(0, 2000),
    };
  }
  return { outcome: 'done', sentence: `${gone.length} databases of old projects cleared.` };
}
