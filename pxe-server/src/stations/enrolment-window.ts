import * as z from 'zod';
import { type MacAddress, parseMacAddress } from '../boot/mac-address.ts';
import { inTransaction, prepared, type State } from '../site/state.ts';

/** Opened by a person, for a while: unknown machines, or one station again, may boot to be enrolled. */
export interface EnrolmentWindow {
  readonly openUntil: Date;
  readonly openedBy: string;
  /** Only this station, which is captured again; absent: any unknown machine. */
  readonly station?: string;
  /** Network cards that somebody at the service has approved; absent: whoever asks while the window is open. */
  readonly approved?: readonly MacAddress[];
}

/** In the journal's sentence about a machine that was turned away for it. */
export const awaitsApproval = 'waits for approval';

const approvedSchema = z.array(z.string().transform((text) => parseMacAddress(text) ?? z.NEVER));

const rowSchema = z
  .object({
    open_until: z.int(),
    opened_by: z.string(),
    station: z.string().nullable(),
    approved: z.string().nullable(),
  })
  .transform(
    (row): EnrolmentWindow => ({
      openUntil: new Date(row.open_until),
      openedBy: row.opened_by,
      ...(row.station === null ? {} : { station: row.station }),
      ...(row.approved === null ? {} : { approved: approvedSchema.parse(JSON.parse(row.approved)) }),
    }),
  );

export function openEnrolment(
  state: State,
  window: Pick<EnrolmentWindow, 'station' | 'approved'> & {
    readonly milliseconds: number;
    readonly by: string;
  },
  now = Date.now(),
): EnrolmentWindow {
  const until = now + window.milliseconds;
  state
    .prepare(
      'INSERT OR REPLACE INTO enrolment_window (id, open_until, opened_by, station, approved) VALUES (1, ?, ?, ?, ?)',
    )
    .run(until, window.by, window.station ?? null, window.approved ? JSON.stringify(window.approved) : null);
  const { milliseconds: _milliseconds, by, ...rest } = window;
  return { openUntil: new Date(until), openedBy: by, ...rest };
}

/**
 * From now on this machine may boot to be enrolled, for as long as the window is open.
 * @returns the window; undefined: none is open
 */
export function approveMachine(state: State, mac: MacAddress, now = Date.now()): EnrolmentWindow | undefined {
  return inTransaction(state, () => {
    const window = currentEnrolment(state, now);
    if (window?.approved === undefined) return window;
    const approved = [...new Set([...window.approved, mac])];
    state.prepare('UPDATE enrolment_window SET approved = ?').run(JSON.stringify(approved));
    return { ...window, approved };
  });
}

/** An unknown machine: may it boot to be enrolled now? */
export function mayEnrol(
  window: EnrolmentWindow | undefined,
  mac: MacAddress,
): 'yes' | 'no-window' | 'not-approved' {
  if (window === undefined || window.station !== undefined) return 'no-window';
  return window.approved === undefined || window.approved.includes(mac) ? 'yes' : 'not-approved';
}

export function closeEnrolment(state: State): void {
  state.exec('DELETE FROM enrolment_window');
}

/** Undefined when no window is open at `now`. */
export function currentEnrolment(state: State, now = Date.now()): EnrolmentWindow | undefined {
  const sql = 'SELECT open_until, opened_by, station, approved FROM enrolment_window WHERE open_until > ?';
  const row = prepared(state, sql).get(now);
  return row === undefined ? undefined : rowSchema.parse(row);
}

/** Machines that asked in vain within the last quarter of an hour and are not approved; the newest first. */
export function waitingMachines(state: State, window: EnrolmentWindow, now = Date.now()): MacAddress[] {
  const { approved } = window;
  if (approved === undefined) return [];
  return state
    .prepare(
      'SELECT machine FROM journal WHERE at > ? AND instr(sentence, ?) > 0 GROUP BY machine ORDER BY max(id) DESC',
    )
    .all(now - waitingForMs, awaitsApproval)
    .flatMap(({ machine }) => parseMacAddress(String(machine)) ?? [])
    .filter((mac) => !approved.includes(mac));
}

const waitingForMs = 900_000;
