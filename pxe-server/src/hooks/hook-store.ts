import * as z from 'zod';
import { type HookPlan, hookPlanSchema } from '#contract/hook.ts';
import { type HookRecord, hookRecordSchema } from '#contract/hook-result.ts';
import type { State } from '../site/state.ts';

/** What a restore job knows of its hooks. */
export interface JobHooks {
  readonly plan: HookPlan;
  /** Of preflight, as the service ran it. */
  readonly preflight: readonly HookRecord[];
  /** Reports of a first boot are taken: from the machine's report until the last one, or until a person closes it. */
  readonly firstBootOpen: boolean;
  /** The highest of those that counted; 0: none. */
  readonly firstBootSequence: number;
}

const rowSchema = z
  .object({
    plan: z.string(),
    records: z.string(),
    first_boot_open: z.int(),
    first_boot_sequence: z.int(),
  })
  .transform(
    (row): JobHooks => ({
      plan: hookPlanSchema.parse(JSON.parse(row.plan)),
      preflight: z.array(hookRecordSchema).parse(JSON.parse(row.records)),
      firstBootOpen: row.first_boot_open !== 0,
      firstBootSequence: row.first_boot_sequence,
    }),
  );

export function findJobHooks(state: State, job: string): JobHooks | undefined {
  const row = state.prepare('SELECT * FROM job_hooks WHERE job = ?').get(job);
  return row === undefined ? undefined : rowSchema.parse(row);
}

/** Preflight may be run again; what was given to the station stays given. */
export function keepPreflight(
  state: State,
  job: string,
  plan: HookPlan,
  records: readonly HookRecord[],
): void {
  state
    .prepare(
      `INSERT INTO job_hooks (job, plan, records) VALUES (?, ?, ?)
       ON CONFLICT (job) DO UPDATE SET plan = excluded.plan, records = excluded.records`,
    )
    .run(job, JSON.stringify(plan), JSON.stringify(records));
}

/** True once a job: whoever comes second gets nothing. */
export function claimMaterial(state: State, job: string): boolean {
  return (
    state.prepare('UPDATE job_hooks SET material_given = 1 WHERE job = ? AND material_given = 0').run(job)
      .changes === 1
  );
}

export function openFirstBoot(state: State, job: string): void {
  state.prepare('UPDATE job_hooks SET first_boot_open = 1 WHERE job = ?').run(job);
}

/** The last report was taken: the one-time key opens nothing any more, and the service has to look for itself. */
export function endFirstBoot(state: State, job: string): void {
  state.prepare('UPDATE job_hooks SET first_boot_open = 0, unconfirmed = 1 WHERE job = ?').run(job);
}

export function noteConfirmed(state: State, job: string): void {
  state.prepare('UPDATE job_hooks SET unconfirmed = 0 WHERE job = ?').run(job);
}

/** Jobs whose first boot is over and whose report is not closed yet. */
export function listUnconfirmed(state: State): string[] {
  return state
    .prepare('SELECT job FROM job_hooks WHERE unconfirmed = 1')
    .all()
    .map((row) => String(row['job']));
}

/** A person waits no longer: neither a report nor a look of the service counts any more. */
export function closeFirstBoot(state: State, job: string): void {
  state.prepare('UPDATE job_hooks SET first_boot_open = 0, unconfirmed = 0 WHERE job = ?').run(job);
}

export function noteSequence(state: State, job: string, sequence: number): void {
  state
    .prepare('UPDATE job_hooks SET first_boot_sequence = max(first_boot_sequence, ?) WHERE job = ?')
    .run(sequence, job);
}
