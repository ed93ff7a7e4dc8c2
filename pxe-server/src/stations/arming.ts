import * as z from 'zod';
import { prepared, type State } from '../site/state.ts';

/**
 * One restore without a log-on, for a limited time. It is used up when the restore is reported as done; until
 * then, and until its time is over, an interrupted restore may start again.
 */
export interface Armed {
  readonly station: string;
  readonly image: string;
  readonly until: Date;
  readonly by: string;
  /** Whoever armed it confirms that parts of the same class were replaced; otherwise such a station waits for a person. */
  readonly acceptsReplaced: boolean;
}

const rowSchema = z
  .object({
    station: z.string(),
    image: z.string(),
    until: z.int(),
    by: z.string(),
    accepts_replaced: z.int(),
  })
  .transform(
    ({ accepts_replaced, until, ...row }): Armed => ({
      ...row,
      until: new Date(until),
      acceptsReplaced: accepts_replaced === 1,
    }),
  );

export function arm(state: State, armed: Armed): void {
  state
    .prepare(
      'INSERT OR REPLACE INTO armed (station, image, until, by, accepts_replaced) VALUES (?, ?, ?, ?, ?)',
    )
    .run(armed.station, armed.image, armed.until.getTime(), armed.by, armed.acceptsReplaced ? 1 : 0);
}

export function disarm(state: State, station: string): boolean {
  return state.prepare('DELETE FROM armed WHERE station = ?').run(station).changes > 0;
}

/** Undefined when the station is not armed, or its time is over at `now`. */
export function findArmed(state: State, station: string, now = Date.now()): Armed | undefined {
  const sql = 'SELECT station, image, until, by, accepts_replaced FROM armed WHERE station = ? AND until > ?';
  const row = prepared(state, sql).get(station, now);
  return row === undefined ? undefined : rowSchema.parse(row);
}
