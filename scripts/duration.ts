import { InvalidArgumentError } from 'commander';

const units = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const longest = 7 * units.d;

/** `30m`, `2h`, `90s`, `1d` -> milliseconds, at most seven days. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  const [, count, unit] = match ?? [];
  const milliseconds = Number(count) * units[unit as keyof typeof units];
  if (match === null || milliseconds === 0 || milliseconds > longest) {
    throw new InvalidArgumentError('Write a time as 90s, 30m, 2h or 1d; at most 7d.');
  }
  return milliseconds;
}
