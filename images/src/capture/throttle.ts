import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Holds the workers of a capture back: bytes a second that all of them together read, and send, and the share of
 * its time that each of them works. Both rates are buckets of one chunk on shared memory (generic cell rate
 * algorithm, ITU-T I.371): a slot holds the moment from which the next byte is within the limit.
 */
export interface CaptureLimits {
  /** Bytes a second that are read from the disk, and as many that go into the store; absent: no limit. */
  readonly bytesPerSecond?: number;
  /** Percent of its time that a worker works; absent: no limit. */
  readonly loadPercent?: number;
}

export interface ThrottleData {
  readonly limits: CaptureLimits;
  /** Nanoseconds of the monotonic clock, by `throttleSlot`. */
  readonly nextFree: BigInt64Array;
  /** Microseconds that the workers worked, all of them together. */
  readonly worked: BigInt64Array;
}

const throttleSlot = { read: 0, sent: 1 } as const;

export function createThrottleData(limits: CaptureLimits): ThrottleData {
  return {
    limits,
    nextFree: new BigInt64Array(new SharedArrayBuffer(16)),
    worked: new BigInt64Array(new SharedArrayBuffer(8)),
  };
}

export const workedSeconds = ({ worked }: ThrottleData): number => Number(Atomics.load(worked, 0)) / 1e6;

export interface Throttle {
  spend(slot: keyof typeof throttleSlot, bytes: number): void;
  /** Waits until the limits allow to go on. @param workedMs since the last rest */
  rest(workedMs: number): Promise<void>;
}

/** Longest sleep at once: somebody who stops a capture does not wait longer. */
const longestSleepMs = 200;

/** In a worker thread. @param isStopped ends every rest */
export function createThrottle(data: ThrottleData, isStopped: () => boolean): Throttle {
  const { bytesPerSecond, loadPercent } = data.limits;
  const sleepUntil = async (due: bigint): Promise<void> => {
    for (;;) {
      const leftMs = Number(due - process.hrtime.bigint()) / 1e6;
      if (leftMs <= 0 || isStopped()) return;
      await sleep(Math.min(Math.ceil(leftMs), longestSleepMs));
    }
  };
  return {
    spend(slot, bytes) {
      if (bytesPerSecond !== undefined)
        spendTime(data.nextFree, throttleSlot[slot], BigInt(Math.ceil((bytes / bytesPerSecond) * 1e9)));
    },
    async rest(workedMs) {
      Atomics.add(data.worked, 0, BigInt(Math.round(workedMs * 1000)));
      if (loadPercent !== undefined && loadPercent < 100) {
        const pauseMs = workedMs * (100 / loadPercent - 1);
        await sleepUntil(process.hrtime.bigint() + BigInt(Math.ceil(pauseMs * 1e6)));
      }
      if (bytesPerSecond === undefined) return;
      for (const slot of Object.values(throttleSlot)) await sleepUntil(Atomics.load(data.nextFree, slot));
    },
  };
}

/** Moves the slot's moment on by `nanoseconds`, from now where it lies in the past: unused time is not saved up. */
function spendTime(nextFree: BigInt64Array, slot: number, nanoseconds: bigint): void {
  for (;;) {
    const was = Atomics.load(nextFree, slot);
    const now = process.hrtime.bigint();
    const next = (was > now ? was : now) + nanoseconds;
    if (Atomics.compareExchange(nextFree, slot, was, next) === was) return;
  }
}
