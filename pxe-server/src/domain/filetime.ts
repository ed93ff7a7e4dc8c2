/** FILETIME, the time of AD's attributes: 100 ns since 1601-01-01 UTC (MS-DTYP 2.3.3), as decimal digits. */

const unixEpochSeconds = 11_644_473_600n;

/** Undefined for 0 (never, or "must be changed") and for the largest value (never ends). */
export function parseFiletime(digits: string): Date | undefined {
  if (!/^\d{1,19}$/.test(digits)) return undefined;
  const ticks = BigInt(digits);
  if (ticks === 0n || ticks === 0x7fff_ffff_ffff_ffffn) return undefined;
  return new Date(Number(ticks / 10_000n - unixEpochSeconds * 1000n));
}

/** `2026-11-28 04:33 UTC` */
export const formatMinute = (time: Date): string =>
  `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
