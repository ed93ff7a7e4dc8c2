import { InvalidArgumentError } from 'commander';

const units = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 } as const;

/** `2500K`, `10M`, `500000` -> bytes a second; K is 1024, as in curl and wget. */
export function parseByteRate(text: string): number {
  const match = /^(\d{1,9})([KMG]?)$/i.exec(text);
  const rate = Number(match?.[1]) * units[(match?.[2] ?? '').toUpperCase() as keyof typeof units];
  if (match === null || rate < 1024)
    throw new InvalidArgumentError('Write a rate as 2500K or 10M (bytes a second, at least 1K).');
  return rate;
}

/** `60` -> 60 */
export function parsePercent(text: string): number {
  const percent = Number(text);
  if (!/^\d{1,3}$/.test(text) || percent < 1 || percent > 100)
    throw new InvalidArgumentError('Write a share as a percentage from 1 to 100.');
  return percent;
}
