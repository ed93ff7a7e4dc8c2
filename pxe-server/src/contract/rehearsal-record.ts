import * as z from 'zod';
import { stationNameSchema } from '#images/format/image-manifest.ts';

/** What every proof from a virtual machine is marked with; no run on hardware can carry it (run-report.ts). */
export const onStandIn = 'rehearsal on a stand-in';

/**
 * `record.json` of one `rekindle rehearse STATION`, signed with the site's key. It proves the image and the way to
 * it on a virtual machine that poses as the station, never the station's hardware.
 */
export const rehearsalRecordSchema = z.strictObject({
  formatVersion: z.literal(1),
  kind: z.literal(onStandIn),
  station: stationNameSchema,
  image: z.string(),
  manifestSha256: z.string(),
  firmware: z.enum(['bios', 'uefi']),
  accelerator: z.string(),
  startedAt: z.iso.datetime(),
  seconds: z.number().nonnegative(),
  outcome: z.enum(['passed', 'failed']),
  /** Of a failed one: the chain of sentences, outermost first. */
  reasons: z.array(z.string()),
  stages: z.array(
    z.strictObject({
      title: z.string(),
      outcome: z.enum(['done', 'failed']),
      startedAtSeconds: z.number(),
      seconds: z.number(),
      sentence: z.string(),
    }),
  ),
  /** From power-on, as a person with a watch would take them; null: it did not get so far. */
  recovery: z.strictObject({ runtimeSeconds: z.number().nullable(), restoredSeconds: z.number().nullable() }),
  /** `verified`: the restored system printed what was waited for; `unverified`: only its screen was kept. */
  started: z.enum(['verified', 'unverified']),
  proven: z.array(z.string()),
  unverified: z.array(z.string()),
  /** The service's own signed report of the restore, beside this record. */
  runReportSha256: z.string().nullable(),
});
export type RehearsalRecord = z.infer<typeof rehearsalRecordSchema>;
