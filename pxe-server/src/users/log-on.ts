import * as z from 'zod';
import type { LockOutPolicy } from '../config/configuration.ts';
import { inTransaction, type State } from '../site/state.ts';
import { type Failures, type LockOut, lockOutOf, nextFailures, stricter } from './lock-out.ts';
import { hashPassword, isPassword } from './password-hash.ts';
import { findUser, type User } from './user-store.ts';

export type LogOnResult =
  | { readonly kind: 'logged-on'; readonly user: User }
  | { readonly kind: 'wrong-password'; readonly triesLeft: number }
  | { readonly kind: 'locked'; readonly retryAfterSeconds: number };

export interface LogOnAttempt {
  readonly technician: string;
  readonly password: string;
  /** What the machine is counted as; not a secret and not trusted, it only makes guessing slower. */
  readonly machine: string;
}

/** An unknown user costs the same hash as a known one: the time must not say which names exist. */
const nobodysHash = hashPassword('the password of nobody');

/**
 * Counts every try before it is judged, per user and per machine, so that parallel tries cannot slip through
 * one count; the right password takes the count back. Counts are in the state and survive a restart. A user
 * that does not exist is counted and locked in the same way.
 */
export async function logOn(
  state: State,
  attempt: LogOnAttempt,
  policy: LockOutPolicy,
  now = Date.now(),
): Promise<LogOnResult> {
  const subjects = [`user:${attempt.technician.toLowerCase()}`, `machine:${attempt.machine}`];
  const before = inTransaction(state, () => {
    removeForgottenFailures(state, policy, now);
    const failures = subjects.map((subject) => readFailures(state, subject));
    const lockOut = failures
      .map((each) => lockOutOf(each, policy, now))
      .reduce((strictest, each) => stricter(strictest, each));
    if (lockOut.kind === 'open') {
      subjects.forEach((subject, index) => {
        writeFailures(state, subject, nextFailures(failures[index], policy, now));
      });
    }
    return lockOut;
  });
  if (before.kind === 'locked') return before;

  const user = findUser(state, attempt.technician);
  const right = await isPassword(attempt.password, user?.passwordHash ?? (await nobodysHash));
  if (user !== undefined && right) {
    for (const subject of subjects) state.prepare('DELETE FROM lock_outs WHERE subject = ?').run(subject);
    return { kind: 'logged-on', user };
  }
  const after: LockOut =
    before.triesLeft > 1 ? before : { kind: 'locked', retryAfterSeconds: policy.lockMinutes * 60 };
  return after.kind === 'locked' ? after : { kind: 'wrong-password', triesLeft: before.triesLeft - 1 };
}

/** Names that nobody has are counted too: without this, whoever makes them up fills the state. */
function removeForgottenFailures(state: State, { lockMinutes }: LockOutPolicy, now: number): void {
  state.prepare('DELETE FROM lock_outs WHERE last_failure_at <= ?').run(now - lockMinutes * 60_000);
}

const failuresRowSchema = z
  .object({ failures: z.int(), last_failure_at: z.int() })
  .transform((row): Failures => ({ count: row.failures, lastAt: row.last_failure_at }));

function readFailures(state: State, subject: string): Failures | undefined {
  const row = state.prepare('SELECT failures, last_failure_at FROM lock_outs WHERE subject = ?').get(subject);
  return row === undefined ? undefined : failuresRowSchema.parse(row);
}

function writeFailures(state: State, subject: string, failures: Failures): void {
  state
    .prepare('INSERT OR REPLACE INTO lock_outs (subject, failures, last_failure_at) VALUES (?, ?, ?)')
    .run(subject, failures.count, failures.lastAt);
}
