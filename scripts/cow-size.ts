import { InvalidArgumentError } from 'commander';
import type { CowSize } from '#images/snapshot/plan-snapshot.ts';

const units = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;

/** `10%` of each volume, or `2G` for each. */
export function parseCowSize(text: string): CowSize {
  const [, number, unit] = /^(\d{1,12})(%|[KMGT]?)$/i.exec(text) ?? [];
  const amount = Number(number);
  if (unit === '%' && amount >= 1 && amount <= 100) return { percent: amount };
  if (number !== undefined && unit !== '%' && amount > 0)
    return { bytes: amount * units[(unit ?? '').toUpperCase() as keyof typeof units] };
  throw new InvalidArgumentError('Write a size as 10% (of each volume, up to 100%) or as 2G.');
}
