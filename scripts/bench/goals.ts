import type { Goal } from './scenario.ts';

export const atLeast = (value: number): Goal => ({
  sentence: `at least ${round(value)}x`,
  kind: 'at least',
  value,
  of: 'ratio',
});

export const atMost = (value: number): Goal => ({
  sentence: `at most ${round(value)}x`,
  kind: 'at most',
  value,
  of: 'ratio',
});

export const below = (value: number, unit: string): Goal => ({
  sentence: `below ${value} ${unit}`,
  kind: 'at most',
  value,
  of: 'ours',
});

/** Of a process of ours, whatever the size of the disk. */
export const memoryGoal = below(300, 'MB');

const round = (value: number): string => String(Number(value.toFixed(2)));
