import * as z from 'zod';
import { exitCodes } from '#base/errors.ts';
import { differenceSchema } from '#images/passport/difference.ts';
import { hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { type HookPhase, type HookRecord, hookRecordSchema } from './hook-result.ts';
import { onStandIn } from './rehearsal-record.ts';

/** What the runtime tells the service while it works, and the report of the whole run. */

export const stepStateSchema = z.enum(['started', 'progress', 'done', 'failed', 'skipped']);

/** One line of the run: a step began, moved, ended. `at` is the machine's clock, `uptimeSeconds` its kernel's. */
export const stepEventSchema = z.strictObject({
  step: z.string().max(64),
  state: stepStateSchema,
  at: z.iso.datetime(),
  uptimeSeconds: z.number().nonnegative(),
  /** The sentence that the technician saw. */
  sentence: z.string().max(2000),
  doneBytes: z.int().nonnegative().optional(),
  totalBytes: z.int().nonnegative().optional(),
});
export type StepEvent = z.infer<typeof stepEventSchema>;

export const stepRecordSchema = z.strictObject({
  step: z.string(),
  title: z.string(),
  outcome: z.enum(['done', 'failed', 'skipped']),
  startedAtUptimeSeconds: z.number().nonnegative(),
  seconds: z.number().nonnegative(),
  sentence: z.string(),
});
export type StepRecord = z.infer<typeof stepRecordSchema>;

export const diskResultSchema = z.strictObject({
  number: z.int().nonnegative(),
  model: z.string(),
  serial: z.string().optional(),
  wwn: z.string().optional(),
  sizeBytes: z.int().positive(),
  /** SHA-256 of the disk index file whose ranges were restored. */
  diskIndexSha256: z.string(),
  restored: z.array(z.strictObject({ what: z.string(), startByte: z.int(), sizeBytes: z.int() })),
  kept: z.array(z.strictObject({ what: z.string(), startByte: z.int(), sizeBytes: z.int() })),
  /** Chunks that were fetched and written, were right already, and were read back and hashed afterwards. */
  chunks: z.strictObject({ written: z.int(), alreadyRight: z.int(), verified: z.int() }),
  bytes: z.strictObject({ fetched: z.int(), written: z.int(), verified: z.int() }),
});
export type DiskResult = z.infer<typeof diskResultSchema>;

/** Secure Boot of the firmware, and what Linux made of it (`/sys/kernel/security/lockdown`). */
export const bootTrustSchema = z.strictObject({
  secureBoot: z.enum(['enabled', 'disabled', 'not-supported']),
  kernelLockdown: z.enum(['none', 'integrity', 'confidentiality', 'unknown']),
});
export type BootTrust = z.infer<typeof bootTrustSchema>;

/** The part of the report that the machine writes. */
export const machineReportSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** Written by the runtime before the first step: random, so that a repeated report is recognised. */
  runId: z.uuid(),
  purpose: z.enum(['recovery', 'enrolment']),
  outcome: z.enum(['restored', 'captured', 'refused', 'failed', 'aborted']),
  exitCode: z.int().nonnegative(),
  /** For refused, failed and aborted: the chain of sentences, outermost first. */
  reasons: z.array(z.string()),
  passport: hardwarePassportSchema.optional(),
  /** How far the chain of signatures reached in this boot; absent: the runtime ended before it looked. */
  bootTrust: bootTrustSchema.optional(),
  differences: z.array(differenceSchema),
  /** Names of replaced parts that the technician confirmed by typing the station's name. */
  confirmed: z.array(z.string()),
  disks: z.array(diskResultSchema),
  /** Unverified claims, each a sentence. */
  unverified: z.array(z.string()),
  steps: z.array(stepRecordSchema),
  /** Of the offline phase; `staged` ones answer at the first boot. */
  hooks: z.array(hookRecordSchema).default([]),
});
export type MachineReport = z.infer<typeof machineReportSchema>;

export const checklistItemSchema = z.strictObject({
  /** `download`, `updates`, …: what `rekindle report tick` is told. */
  id: z.string(),
  what: z.string(),
  ticked: z.strictObject({ at: z.iso.datetime(), by: z.string(), note: z.string() }).nullable(),
});
export type ChecklistItem = z.infer<typeof checklistItemSchema>;

/** What the service signs and keeps: the machine's part and what the service itself saw. */
const runReportFields = z.strictObject({
  formatVersion: z.literal(1),
  /** There when, and only when, the machine was a declared stand-in. */
  kind: z.literal(onStandIn).optional(),
  jobId: z.string(),
  station: z.string(),
  image: z.string().nullable(),
  manifestSha256: z.string().nullable(),
  startedBy: z.strictObject({
    how: z.enum(['technician', 'armed']),
    technician: z.string(),
  }),
  openedAt: z.iso.datetime(),
  closedAt: z.iso.datetime(),
  /** Boot conversation as the service saw it: DHCP, TFTP, HTTP, in order. */
  boot: z.array(z.strictObject({ at: z.iso.datetime(), sentence: z.string() })),
  machine: machineReportSchema,
  /** `awaiting-first-boot` until every staged hook has answered, or a person closes the report. */
  state: z.enum(['awaiting-first-boot', 'closed']).default('closed'),
  /** Of the phases that the service saw: preflight before, first boot after the machine's report. */
  hooks: z.array(hookRecordSchema).default([]),
  /** What a person still has to do; open until ticked. */
  checklist: z.array(checklistItemSchema).default([]),
  /** What was added to this report after the machine's part, in order. It is signed anew each time. */
  amendments: z.array(z.strictObject({ at: z.iso.datetime(), by: z.string(), what: z.string() })).default([]),
});
/** No run on a stand-in without its mark, and no mark on a run on hardware. */
export const runReportSchema = runReportFields.refine(
  ({ kind, machine }) => (kind === onStandIn) === (machine.passport?.standIn === true),
  { error: 'the mark of a rehearsal and the passport of the machine contradict each other', path: ['kind'] },
);
export type RunReport = z.infer<typeof runReportSchema>;

/** Hook records of all phases, in the order of the phases. */
export function hookRecordsOf({ hooks, machine }: Pick<RunReport, 'hooks' | 'machine'>): HookRecord[] {
  const of = (phase: HookPhase) => hooks.filter((record) => record.phase === phase);
  return [...of('preflight'), ...machine.hooks, ...of('first-boot')];
}

/** 3 when any hook failed, in whichever phase; else what the machine ended with. */
export function exitCodeOfReport(report: Pick<RunReport, 'hooks' | 'machine'>): number {
  const { exitCode } = report.machine;
  if (exitCode !== 0) return exitCode;
  return hookRecordsOf(report).some(({ result }) => result.outcome === 'failed')
    ? exitCodes['failed-hooks']
    : 0;
}
