import { hash, randomBytes } from 'node:crypto';
import * as z from 'zod';
import { prepared, type State } from '../site/state.ts';

/**
 * Bearer tokens: 256 random bits, kept only as SHA-256, so that a copy of the state opens nothing.
 * - `session`: a log-on, or an armed station; asks for jobs
 * - `job`: one restore; reads its image, reports
 * - `comparison`: one restore that other hardware asks for; reads what describes the image, but no chunk, and reports
 * - `capture`: one capture; writes one image, reports
 */
const grantSchema = z.object({
  kind: z.enum(['session', 'job', 'comparison', 'capture']),
  technician: z.string(),
  how: z.enum(['technician', 'armed']),
  /** Null for the session of a machine that is not enrolled yet. */
  station: z.string().nullable(),
  job: z.string().nullable(),
  expires_at: z.int(),
});

export type Grant = Omit<z.infer<typeof grantSchema>, 'expires_at'> & { readonly expiresAt: number };

export function mintToken(state: State, grant: Grant): string {
  const token = randomBytes(32).toString('base64url');
  state
    .prepare(
      'INSERT INTO tokens (hash, kind, technician, how, station, job, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
    )
    .run(hashOf(token), grant.kind, grant.technician, grant.how, grant.station, grant.job, grant.expiresAt);
  return token;
}

/** Undefined for a token that never was, or whose time is over: the answer is the same. */
export function findGrant(state: State, token: string, now = Date.now()): Grant | undefined {
  const row = prepared(
    state,
    'SELECT kind, technician, how, station, job, expires_at FROM tokens WHERE hash = ? AND expires_at > ?',
  ).get(hashOf(token), now);
  if (row === undefined) return undefined;
  const { expires_at: expiresAt, ...grant } = grantSchema.parse(row);
  return { ...grant, expiresAt };
}

/** The session of a machine that was just enrolled speaks for its station from now on. */
export function bindToStation(state: State, token: string, station: string): void {
  state.prepare('UPDATE tokens SET station = ? WHERE hash = ?').run(station, hashOf(token));
}

export function removeExpiredTokens(state: State, now = Date.now()): void {
  state.prepare('DELETE FROM tokens WHERE expires_at <= ?').run(now);
}

function hashOf(token: string): string {
  return hash('sha256', token);
}
