/** Retransmission time from measured round trips, RFC 6298 with times that suit a LAN. Milliseconds. */
export interface RoundTrip {
  readonly smoothed: number;
  readonly variation: number;
  /** How long to wait for the answer to what is sent now. */
  readonly timeout: number;
}

/** Before anything was measured; a first answer is often slow because the firmware has to do ARP. */
export const initialRoundTrip: RoundTrip = { smoothed: 0, variation: 0, timeout: 250 };

const shortest = 10;
/** More than the 5 s after which most clients ask again: some do so only when nothing at all has come. */
export const longest = 6000;

/** After an answer that belongs to one sending only (Karn: never after a retransmission). */
export function measured(previous: RoundTrip, sample: number): RoundTrip {
  const first = previous.smoothed === 0;
  const variation = first
    ? sample / 2
    : 0.75 * previous.variation + 0.25 * Math.abs(previous.smoothed - sample);
  const smoothed = Math.max(0.001, first ? sample : 0.875 * previous.smoothed + 0.125 * sample);
  return { smoothed, variation, timeout: clamp(smoothed + 4 * variation) };
}

/** After a time-out: twice as patient, until the next measurement. */
export function backedOff(previous: RoundTrip, limit: number): RoundTrip {
  return { ...previous, timeout: Math.min(limit, previous.timeout * 2) };
}

function clamp(milliseconds: number): number {
  return Math.min(longest, Math.max(shortest, milliseconds));
}
