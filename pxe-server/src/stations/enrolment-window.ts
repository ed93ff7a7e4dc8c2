import * as z from 'zod';
import type { State } from '../site/state.ts';

/** Opened by a person, for a while: unknown machines, or one station again, may boot to be enrolled. */
export interface EnrolmentWindow {
  readonly openUntil: Date;
  readonly openedBy: string;
  /** Only this station, which is captured again; absent: any unknown machine. */
  readonly station?: string;
}

const rowSchema = z
  .object({ open_until: z.int(), opened_by: z.string(), station: z.string().nullable() })
  .transform(
    (row): EnrolmentWindow => ({
      openUntil: new Date(row.open_until),
      openedBy: row.opened_by,
      ...(row.station === null ? {} : { station: row.station }),
    }),
  );

export function openEnrolment(
  state: State,
  window: { readonly milliseconds: number; readonly by: string; readonly station?: string },
  now = Date.now(),
): EnrolmentWindow {
  const until = now + window.milliseconds;
  state
    .prepare(
      'INSERT OR REPLACE INTO enrolment_window (id, open_until, opened_by, station) VALUES (1, ?, ?, ?)',
    )
    .run(until, window.by, window.station ?? null);
  return rowSchema.parse({ open_until: until, opened_by: window.by, station: window.station ?? null });
}

export function closeEnrolment(state: State): void {
  state.exec('DELETE FROM enrolment_window');
}

/** Undefined when no window is open at `now`. */
export function currentEnrolment(state: State, now = Date.now()): EnrolmentWindow | undefined {
  const row = state
    .prepare('SELECT open_until, opened_by, station FROM enrolment_window WHERE open_until > ?')
    .get(now);
  return row === undefined ? undefined : rowSchema.parse(row);
}
