/**
 * Rate and time left from what has been done so far. The rate is an average over the last half minute: long
 * enough that one slow read does not make the time left jump, short enough that a slow disk shows.
 */
const windowSeconds = 30;
/** Before that much time nothing honest can be said about the time left. */
const settleSeconds = 3;

interface Sample {
  readonly atSeconds: number;
  readonly doneBytes: number;
}
export type ProgressMeter = readonly Sample[];

export const emptyMeter: ProgressMeter = [];

/** Adds a reading; one sample a second is kept. A reading that went backwards starts the meter again. */
export function addReading(meter: ProgressMeter, atSeconds: number, doneBytes: number): ProgressMeter {
  const last = meter.at(-1);
  const sample = { atSeconds, doneBytes };
  if (last === undefined || doneBytes < last.doneBytes || atSeconds < last.atSeconds) return [sample];
  const recent = meter.filter((kept) => atSeconds - kept.atSeconds <= windowSeconds);
  const beforeLast = recent.at(-2);
  const replacesLast = beforeLast !== undefined && last.atSeconds - beforeLast.atSeconds < 1;
  return [...(replacesLast ? recent.slice(0, -1) : recent), sample];
}

/** Bytes a second over the window, or nothing when it is too early to say. */
export function rateOf(meter: ProgressMeter): number | undefined {
  const first = meter[0];
  const last = meter.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const seconds = last.atSeconds - first.atSeconds;
  return seconds < settleSeconds ? undefined : (last.doneBytes - first.doneBytes) / seconds;
}

export function secondsLeft(meter: ProgressMeter, totalBytes: number): number | undefined {
  const rate = rateOf(meter);
  const last = meter.at(-1);
  if (rate === undefined || last === undefined || rate <= 0) return undefined;
  return Math.max(0, totalBytes - last.doneBytes) / rate;
}
