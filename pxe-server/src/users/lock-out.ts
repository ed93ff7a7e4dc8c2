import type { LockOutPolicy } from '../config/configuration.ts';

/** Wrong passwords in a row of one subject (a user, or a machine), as the state keeps them. Milliseconds. */
export interface Failures {
  readonly count: number;
  readonly lastAt: number;
}

export type LockOut =
  | { readonly kind: 'locked'; readonly retryAfterSeconds: number }
  | { readonly kind: 'open'; readonly triesLeft: number };

/** Failures older than the lock's length are forgotten: a lock that ended leaves all tries. */
export function lockOutOf(failures: Failures | undefined, policy: LockOutPolicy, now: number): LockOut {
  const lockMs = policy.lockMinutes * 60_000;
  // A clock that was set back must not lock anybody for longer than the policy says.
  const age = failures === undefined ? lockMs : Math.max(0, now - failures.lastAt);
  if (failures === undefined || age >= lockMs) return { kind: 'open', triesLeft: policy.tries };
  return failures.count >= policy.tries
    ? { kind: 'locked', retryAfterSeconds: Math.ceil((lockMs - age) / 1000) }
    : { kind: 'open', triesLeft: policy.tries - failures.count };
}

/** The count after one more wrong password. */
export function nextFailures(failures: Failures | undefined, policy: LockOutPolicy, now: number): Failures {
  const lockOut = lockOutOf(failures, policy, now);
  const forgotten = lockOut.kind === 'open' && lockOut.triesLeft === policy.tries;
  return { count: (forgotten ? 0 : (failures?.count ?? 0)) + 1, lastAt: now };
}

/** The stricter of two: whichever is locked for longer, else whichever has fewer tries left. */
export function stricter(a: LockOut, b: LockOut): LockOut {
  if (a.kind === 'locked' && b.kind === 'locked') return a.retryAfterSeconds >= b.retryAfterSeconds ? a : b;
  if (a.kind === 'locked') return a;
  if (b.kind === 'locked') return b;
  return a.triesLeft <= b.triesLeft ? a : b;
}
