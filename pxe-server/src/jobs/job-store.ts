import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import type { MachineReport } from '#contract/run-report.ts';
import { prepared, type State } from '../site/state.ts';

const jobRowSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['restore', 'capture']),
    station: z.string(),
    image: z.string(),
    manifest_sha256: z.string().nullable(),
    how: z.enum(['technician', 'armed']),
    technician: z.string(),
    machine: z.string(),
    opened_at: z.int(),
    closed_at: z.int().nullable(),
    run_id: z.string().nullable(),
    outcome: z.string().nullable(),
  })
  .transform((row) => ({
    id: row.id,
    kind: row.kind,
    station: row.station,
    /** `<STATION>_<UTC time>`, the image's folder. */
    imageName: row.image,
    manifestSha256: row.manifest_sha256,
    how: row.how,
    technician: row.technician,
    /** MAC address, or the IP address where that is not known: finds the boot conversation. */
    machine: row.machine,
    openedAt: new Date(row.opened_at),
    closedAt: row.closed_at === null ? null : new Date(row.closed_at),
    runId: row.run_id,
    outcome: row.outcome,
  }));

export type Job = z.infer<typeof jobRowSchema>;
export type NewJob = Pick<
  Job,
  'kind' | 'station' | 'imageName' | 'manifestSha256' | 'how' | 'technician' | 'machine'
>;

export function openJob(state: State, job: NewJob, now = Date.now()): string {
  const id = randomUUID();
  state
    .prepare(
      `INSERT INTO jobs (id, kind, station, image, manifest_sha256, how, technician, machine, opened_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      id,
      job.kind,
      job.station,
      job.imageName,
      job.manifestSha256,
      job.how,
      job.technician,
      job.machine,
      now,
    );
  return id;
}

/** A job that nobody was told of. */
export function discardJob(state: State, id: string): void {
  state.prepare('DELETE FROM jobs WHERE id = ?').run(id);
}

export function findJob(state: State, id: string): Job | undefined {
  const row = prepared(state, 'SELECT * FROM jobs WHERE id = ?').get(id);
  return row === undefined ? undefined : jobRowSchema.parse(row);
}

export function listJobs(state: State, station: string): Job[] {
  return state
    .prepare('SELECT * FROM jobs WHERE station = ? ORDER BY opened_at DESC')
    .all(station)
    .map((row) => jobRowSchema.parse(row));
}

/** The captured image is in the store. */
export function markCommitted(state: State, id: string, manifestSha256: string): void {
  state.prepare('UPDATE jobs SET manifest_sha256 = ? WHERE id = ?').run(manifestSha256, id);
}

/** Closes the captures of a station that never were committed, and says which. */
export function abandonCaptures(state: State, station: string, now = Date.now()): string[] {
  return state
    .prepare(
      `UPDATE jobs SET closed_at = ?, outcome = 'abandoned'
       WHERE station = ? AND kind = 'capture' AND closed_at IS NULL AND manifest_sha256 IS NULL RETURNING id`,
    )
    .all(now, station)
    .map((row) => String(row['id']));
}

export function hasCaptured(state: State, station: string): boolean {
  return (
    state
      .prepare(
        "SELECT 1 FROM jobs WHERE station = ? AND kind = 'capture' AND manifest_sha256 IS NOT NULL LIMIT 1",
      )
      .get(station) !== undefined
  );
}

export function closeJob(state: State, id: string, report: MachineReport, now = Date.now()): void {
  state
    .prepare('UPDATE jobs SET closed_at = ?, run_id = ?, outcome = ? WHERE id = ?')
    .run(now, report.runId, report.outcome, id);
}
