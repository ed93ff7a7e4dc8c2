import { errorChain, exitCodeOf, exitCodes, RekindleError } from '#base/errors.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import type { BootTrust, DiskResult, MachineReport, StepRecord } from '#contract/run-report.ts';
import type { Difference } from '#images/passport/difference.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';

/** What a run has found out so far, for its report: kept apart from the steps, so that a failed run has it too. */
export interface Findings {
  passport?: HardwarePassport;
  bootTrust?: BootTrust;
  differences: readonly Difference[];
  confirmed: readonly string[];
  disks: DiskResult[];
  /** Of the offline phase. */
  hooks: readonly HookRecord[];
  unverified: string[];
  /** A step that writes has begun. */
  wrote: boolean;
  /** Uptime of this program's first line: power-on to here is the boot, as far as the kernel saw it. Not of a program on a running system. */
  readonly firstLineUptimeSeconds: number | undefined;
}

export function newFindings(firstLineUptimeSeconds?: number): Findings {
  return {
    differences: [],
    confirmed: [],
    disks: [],
    hooks: [],
    unverified: [],
    wrote: false,
    firstLineUptimeSeconds,
  };
}

export type Ending =
  | { readonly kind: 'restored'; readonly station: string }
  | { readonly kind: 'captured'; readonly image: string }
  | { readonly kind: 'dry-run' }
  | { readonly kind: 'failed'; readonly error: unknown };

export interface RunIdentity {
  readonly runId: string;
  readonly purpose: MachineReport['purpose'];
}

export function formatMachineReport(
  { runId, purpose }: RunIdentity,
  findings: Findings,
  steps: readonly StepRecord[],
  ending: Ending,
): MachineReport {
  const { passport, bootTrust, differences, confirmed, disks, hooks, unverified } = findings;
  return {
    formatVersion: 1,
    runId,
    purpose,
    outcome: outcomeOf(ending, findings.wrote),
    exitCode: exitCodeOfEnding(ending, hooks),
    reasons: ending.kind === 'failed' ? errorChain(ending.error) : [],
    ...(passport === undefined ? {} : { passport }),
    ...(bootTrust === undefined ? {} : { bootTrust }),
    differences: [...differences],
    confirmed: [...confirmed],
    disks,
    unverified: [...unverified, ...unverifiedOf(ending, disks)],
    steps: [...startRecord(findings.firstLineUptimeSeconds), ...steps],
    hooks: [...hooks],
  };
}

/** 3: the disks are restored, and a hook failed. */
export function exitCodeOfEnding(ending: Ending, hooks: readonly HookRecord[]): number {
  if (ending.kind === 'failed') return exitCodeOf(ending.error);
  return hooks.some(({ result }) => result.outcome === 'failed') ? exitCodes['failed-hooks'] : 0;
}

function startRecord(seconds: number | undefined): StepRecord[] {
  if (seconds === undefined) return [];
  return [
    {
      step: 'start-runtime',
      title: 'Starting the recovery runtime',
      outcome: 'done',
      startedAtUptimeSeconds: 0,
      seconds,
      sentence: `The runtime's first line came ${seconds.toFixed(1)} s after the kernel started.`,
    },
  ];
}

/** What a good ending does not prove. */
function unverifiedOf(ending: Ending, disks: readonly DiskResult[]): string[] {
  if (ending.kind !== 'restored') return [];
  const kept = disks.flatMap((disk) => disk.kept.map(({ what }) => `${what} of disk ${disk.number}`));
  return [
    `Whether ${ending.station} starts: this report was written before the machine started again.`,
    ...kept.map((what) => `The content of ${what}: it was left alone, and not read.`),
  ];
}

/** Refused: the rules said no before anything was written. Failed: something did not work. */
function outcomeOf(ending: Ending, wrote: boolean): MachineReport['outcome'] {
  switch (ending.kind) {
    case 'restored':
    case 'captured':
      return ending.kind;
    case 'dry-run':
      return 'aborted';
    case 'failed': {
      const code = ending.error instanceof RekindleError ? ending.error.code : 'unexpected';
      if (code === 'interrupted') return 'aborted';
      const refusals = [
        'failed-hooks',
        'hardware-not-identical',
        'target-unfit',
        'verification-failed',
        'not-found',
      ];
      return !wrote && refusals.includes(code) ? 'refused' : 'failed';
    }
  }
}
