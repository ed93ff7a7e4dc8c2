import * as z from 'zod';
import {
  evidenceSchema,
  hookIdSchema,
  hookPhaseSchema,
  hookRecordSchema,
  hookResultSchema,
  planLineSchema,
} from './hook-result.ts';

/**
 * JSON contract of a site's own hook. It is started once an operation with one question on standard input and
 * answers with one JSON value on standard output; standard error goes into the evidence. Exit code 0: the answer
 * counts. Anything else, or another answer: failed.
 *
 * - `plan`: says what it would do (`plan`), changes nothing. A precondition that is not met is a `result`
 *   `failed`, nothing to do is `skipped`.
 * - `apply`: does it. Twice is like once.
 * - `verify`: looks whether it is done, changes nothing.
 */
export const executableQuestionSchema = z.strictObject({
  formatVersion: z.literal(1),
  operation: z.enum(['plan', 'apply', 'verify']),
  phase: hookPhaseSchema,
  hook: hookIdSchema,
  station: z.string(),
  image: z.strictObject({ ref: z.string(), capturedAt: z.iso.datetime(), stationRole: z.string() }),
  settings: z.record(z.string(), z.json()),
  /** Phase `offline`: folder where the restored system's volume is mounted. `first-boot`: the root itself. */
  root: z.string().nullable(),
  earlier: z.array(hookRecordSchema),
});
export type ExecutableQuestion = z.infer<typeof executableQuestionSchema>;

export const executableAnswerSchema = z.strictObject({
  plan: z.array(planLineSchema).default([]),
  /** To `plan`: absent when it is ready to go. */
  result: hookResultSchema.optional(),
  evidence: z.array(evidenceSchema).default([]),
});
export type ExecutableAnswer = z.infer<typeof executableAnswerSchema>;
