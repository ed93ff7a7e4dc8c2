import * as z from 'zod';
import { hookPlanSchema } from './hook.ts';
import { evidenceSchema, hookIdSchema, hookRecordSchema, hookResultSchema } from './hook-result.ts';

/**
 * What is staged into the restored system for its first boot, and how it reports. The agent (Windows: WSH JScript
 * as a service; Linux: sh under systemd) knows nothing of hooks: it runs steps in order and tells how they ended.
 */

/** Exit codes of a step with a meaning of their own; 0 is done, any other one failed. */
export const stepExitCodes = {
  /** Done; the system has to restart before the next step. On Windows 3010 and 1641 mean the same (winerror.h). */
  doneRestart: 248,
  /** Not done; restart, then run it again. */
  restartRetry: 249,
  /** Not done yet; run it again after `retrySeconds`, without a restart. */
  retry: 250,
  /** Nothing to do; the last line that it printed says why. */
  skipped: 251,
  /** Done as far as this side can tell; the last line that it printed says what is not proven. */
  unverified: 252,
} as const;

/** A file name below the agent's folder: 8-bit clean on every system, never a path. */
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a file name without folders');

export const firstBootStepSchema = z.strictObject({
  hook: hookIdSchema,
  title: z.string().min(1).max(200),
  /** Steps whose hook failed before are skipped with those that wait for it. */
  after: z.array(hookIdSchema),
  /**
   * One line of a batch file or sh script, run in the folder of the staged files. What it prints is the evidence. The
   * last line that begins with `{` may be an answer of the contract (hook-executable.ts) instead of an exit code.
   */
  command: z.string().min(1).max(2000),
  /** Files of the agent's folder that are secrets: overwritten and removed as soon as the step is over. */
  secretFiles: z.array(fileName),
  timeoutSeconds: z.int().min(1).max(7200),
  retrySeconds: z.int().min(1).max(3600),
  /** How often `retry` and `restartRetry` are obeyed before the step counts as failed. */
  tries: z.int().min(1).max(200),
});
export type FirstBootStep = z.infer<typeof firstBootStepSchema>;

export const firstBootPlanSchema = z.strictObject({
  formatVersion: z.literal(1),
  jobId: z.uuid(),
  station: z.string(),
  /** Base URLs of the service's HTTP port, tried in order. */
  servers: z.array(z.string()).min(1),
  /** Longest time that the agent goes on trying to reach the service after its last step, hours. */
  giveUpHours: z.int().min(1).max(720),
  steps: z.array(firstBootStepSchema).min(1).max(64),
});
export type FirstBootPlan = z.infer<typeof firstBootPlanSchema>;

/**
 * POST <server>/first-boot/<jobId>, plain HTTP: a station that was restored a minute ago may have no clock, no TLS
 * of today and not the site's CA. `Rekindle-Mac` is the lower-case hex of HMAC-SHA256 over the body's bytes with the
 * job's one-time key; the answer (200, `text/plain`) is HMAC-SHA256 over `received <sequence> <last>`, so that the
 * agent believes nobody else that its report has arrived. A sequence that was seen is answered again and changes
 * nothing, unless it is the last report and none was before: after a power cut the agent may count from 1 again.
 */
export const firstBootReportSchema = z.strictObject({
  formatVersion: z.literal(1),
  jobId: z.uuid(),
  /** From 1, one more for each report. */
  sequence: z.int().min(1).max(10_000),
  /** After this one there is none: the agent removes itself, and the key is no longer good. */
  last: z.boolean(),
  agent: z.enum(['windows', 'linux']),
  steps: z
    .array(
      z.strictObject({
        hook: hookIdSchema,
        result: hookResultSchema,
        evidence: z.array(evidenceSchema).max(50),
        startedAt: z.iso.datetime(),
        seconds: z.number().nonnegative(),
      }),
    )
    .max(64),
});
export type FirstBootReport = z.infer<typeof firstBootReportSchema>;

/** POST /jobs/:jobId/hooks/preflight: runs the station's preflight hooks; nothing is written yet. */
export const preflightReplySchema = z.strictObject({
  plan: hookPlanSchema,
  records: z.array(hookRecordSchema),
});
export type PreflightReply = z.infer<typeof preflightReplySchema>;

/**
 * POST /jobs/:jobId/hooks/material, once, after the disks were restored and verified: what the hooks hand to the
 * station. Secrets travel here and nowhere else.
 */
export const hookMaterialSchema = z.strictObject({
  /** 256 bits, lower-case hex: signs the reports of the first boot. */
  firstBootKey: z.string().regex(/^[0-9a-f]{64}$/),
  servers: z.array(z.string()).min(1),
  /** By hook: files that its first-boot step uses. `secret` ones are erased on the station after use. */
  files: z.array(
    z.strictObject({
      hook: hookIdSchema,
      name: fileName,
      content: z.base64(),
      secret: z.boolean(),
    }),
  ),
  /** Hooks whose material could not be made, and why: they fail, others go on. */
  failed: z.array(z.strictObject({ hook: hookIdSchema, sentence: z.string(), next: z.string().optional() })),
});
export type HookMaterial = z.infer<typeof hookMaterialSchema>;
