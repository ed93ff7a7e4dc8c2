import * as z from 'zod';

/**
 * What follows a restore, in three phases:
 * - `preflight`: on the server, before anything is written; a failure stops the restore
 * - `offline`: in the runtime, the restored disks are not running yet
 * - `first-boot`: on the restored station itself, which reports back
 */
const hookPhases = ['preflight', 'offline', 'first-boot'] as const;
export const hookPhaseSchema = z.enum(hookPhases);
export type HookPhase = z.infer<typeof hookPhaseSchema>;

/** Name of one hook in a station's plan: `sql`, `domain`, `copy-licence`. */
export const hookIdSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'small letters, digits and hyphens, at most 63');

/** A sentence that a person reads, on a console of 80 columns too. */
const sentence = z.string().min(1).max(2000);

export const hookResultSchema = z.discriminatedUnion('outcome', [
  /** Applied, or already as it should be, and looked at afterwards. */
  z.strictObject({ outcome: z.literal('done'), sentence }),
  /** Handed on to the first boot, which has not answered yet. */
  z.strictObject({ outcome: z.literal('staged'), sentence }),
  z.strictObject({ outcome: z.literal('failed'), sentence, next: sentence.optional() }),
  /** Applied, but nothing here can prove it; the sentence says what would. */
  z.strictObject({ outcome: z.literal('unverified'), sentence }),
  /** Nothing to do; or `blockedBy` a hook that it waits for, or by its own earlier phase, which failed. */
  z.strictObject({ outcome: z.literal('skipped'), reason: sentence, blockedBy: hookIdSchema.optional() }),
]);
export type HookResult = z.infer<typeof hookResultSchema>;

/** One thing that was seen: `pwdLastSet` = `2026-11-20T02:00:00Z`. Never a secret. */
export const evidenceSchema = z.strictObject({
  name: z.string().min(1).max(200),
  value: z.string().max(20_000),
});
export type Evidence = z.infer<typeof evidenceSchema>;

/** An item of the report's checklist that the service has seen to be done, and what it saw. */
export interface SettledItem {
  /** `replication` */
  readonly item: string;
  readonly note: string;
}

/** A line of the plan, on the screen before the restore starts. */
export const planLineSchema = z.strictObject({
  /**
   * `change`: will be done. `warning`: not to be overlooked. `needs-person`: whoever types the station's name
   * decides it; an armed station stops here.
   */
  kind: z.enum(['change', 'warning', 'needs-person']),
  sentence,
});
export type PlanLine = z.infer<typeof planLineSchema>;

/** One hook in one phase, as it stands in the run report. */
export const hookRecordSchema = z.strictObject({
  hook: hookIdSchema,
  kind: z.string(),
  phase: hookPhaseSchema,
  title: z.string(),
  plan: z.array(planLineSchema),
  result: hookResultSchema,
  evidence: z.array(evidenceSchema),
  /** Of the clock of whoever ran it; a station's clock may be wrong. */
  startedAt: z.iso.datetime(),
  seconds: z.number().nonnegative(),
});
export type HookRecord = z.infer<typeof hookRecordSchema>;

/** The sentence of a result, whatever it is. */
export function sentenceOf(result: HookResult): string {
  return result.outcome === 'skipped' ? result.reason : result.sentence;
}
