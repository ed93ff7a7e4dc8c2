import type { BenchLab } from './bench-lab.ts';
import { type Measured, median } from './measure.ts';

/** One line of the table. */
export interface Row {
  readonly what: string;
  /** Ours and the peer's, in `unit`; no peer where the goal is a bound. */
  readonly ours: number;
  readonly peer?: { readonly name: string; readonly value: number };
  readonly unit: 's' | '/s' | 'CPU s' | 'MB' | 'MB/s' | 'x' | '%';
  /** What is held against the goal; above 1 means ours is that many times as fast, unless the goal says otherwise. */
  readonly ratio?: number;
  readonly goal?: Goal;
}

export interface Goal {
  readonly sentence: string;
  readonly kind: 'at least' | 'at most';
  readonly value: number;
  /** Held against `ratio`, or against `ours` where there is no peer. */
  readonly of: 'ratio' | 'ours';
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  run(lab: BenchLab): Promise<{ readonly rows: readonly Row[]; readonly measured?: readonly Measured[] }>;
}

export function isMet({ goal, ratio, ours }: Row): boolean | undefined {
  if (goal === undefined) return undefined;
  const value = goal.of === 'ratio' ? (ratio ?? Number.NaN) : ours;
  return goal.kind === 'at least' ? value >= goal.value : value <= goal.value;
}

export const secondsOf = (measured: Measured): number[] => measured.samples.map((sample) => sample.seconds);
export const cpuOf = (measured: Measured): number[] => measured.samples.map((sample) => sample.cpuSeconds);
export const factOf = (measured: Measured, fact: string): number[] =>
  measured.samples.map((sample) => sample.facts[fact] ?? Number.NaN);
export const peakMegabytes = (measured: Measured): number =>
  median(measured.samples.map((sample) => sample.peakBytes / 1e6));
