import * as z from 'zod';
import { domainControllerMarkSchema, stationNameSchema } from '#images/format/image-manifest.ts';
import { hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { stepEventSchema } from './run-report.ts';
import { shareSchema } from './share.ts';

/**
 * `/api/v1`, spoken over TLS with the site CA that is inside the runtime; the server's certificate carries
 * the name `serverName` whatever address it has. Every request but log-on and armed needs
 * `Authorization: Bearer <token>`. Errors are `problemSchema` with a fitting status.
 */
export const apiBase = '/api/v1';
export const serverName = 'rekindle';

export const imageRefSchema = z.string().max(200);
const token = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

export const problemSchema = z.strictObject({
  /** Stable: `wrong-password`, `locked`, `unknown-station`, `not-enrolling`, `no-such-image`, … */
  code: z.string(),
  /** A sentence for the technician. */
  message: z.string(),
  /** What to do next. */
  next: z.string().optional(),
  retryAfterSeconds: z.int().nonnegative().optional(),
  triesLeft: z.int().nonnegative().optional(),
});
export type Problem = z.infer<typeof problemSchema>;

/** POST /log-on */
export const logOnRequestSchema = z.strictObject({
  technician: z.string().min(1).max(64),
  password: z.string().min(1).max(256),
  passport: hardwarePassportSchema,
});
export const stationSummarySchema = z.strictObject({
  name: stationNameSchema,
  /** Which facts of the passport made the service recognise the station. */
  recognisedBy: z.array(z.string()),
});
export const logOnReplySchema = z.strictObject({
  /** Session token: 256 random bits, base64url. */
  token,
  technician: z.string(),
  station: stationSummarySchema.nullable(),
  /** What the machine shares with stations that it is not: a moved card, a cloned UUID. Sentences. */
  oddities: z.array(z.string()),
  /** The enrolment window is open until then. */
  enrolmentOpenUntil: z.iso.datetime().nullable(),
});
export type LogOnReply = z.infer<typeof logOnReplySchema>;

/** POST /armed: a station that `rekindle station arm` armed needs no log-on, once, for a limited time. */
export const armedRequestSchema = z.strictObject({ passport: hardwarePassportSchema });
export const armedReplySchema = z.strictObject({
  armed: z
    .strictObject({
      token,
      station: stationSummarySchema,
      image: imageRefSchema,
      until: z.iso.datetime(),
      by: z.string(),
      /** Parts of the same class that were replaced are confirmed. */
      acceptsReplaced: z.boolean(),
    })
    .nullable(),
});
export type ArmedReply = z.infer<typeof armedReplySchema>;

/** GET /stations/:station/images */
export const imageSummarySchema = z.strictObject({
  /** STATION@<UTC time> */
  ref: imageRefSchema,
  capturedAt: z.iso.datetime(),
  consistency: z.string(),
  diskBytes: z.int().nonnegative(),
  usedBytes: z.int().nonnegative(),
});
export type ImageSummary = z.infer<typeof imageSummarySchema>;
export const imageListSchema = z.strictObject({ images: z.array(imageSummarySchema) });

/** POST /stations: enrol this machine under a name, while the window is open. */
export const enrolRequestSchema = z.strictObject({
  name: stationNameSchema,
  passport: hardwarePassportSchema,
});
export const enrolReplySchema = z.strictObject({ station: stationSummarySchema });

/**
 * POST /jobs: ask for a restore. Nothing is written by asking. Hardware that is not identical gets a job too, so
 * that its refusal ends in a signed report; the token of that job reaches no chunk.
 */
export const jobRequestSchema = z.strictObject({
  station: stationNameSchema,
  /** `STATION@latest` or `STATION@<UTC time>`. */
  image: imageRefSchema,
  passport: hardwarePassportSchema,
});
export const restoreJobSchema = z.strictObject({
  jobId: z.string(),
  /** Job token: reads this image and its chunks, and reports on this job; nothing else. */
  token,
  station: stationNameSchema,
  image: imageRefSchema,
  /** `manifest.json` and `manifest.json.minisig`, the exact bytes. */
  manifest: z.base64(),
  manifestSignature: z.string(),
  /** The station's registered passport: the image's, with the parts replaced since then and confirmed. */
  registeredPassport: hardwarePassportSchema,
  /** Path of the image store on this server, e.g. `/api/v1/store`. */
  storePath: z.string(),
  /** Where chunks are read instead, with the means to get in; null: over HTTPS, or no chunk at all. */
  share: shareSchema.nullable(),
});
export type RestoreJob = z.infer<typeof restoreJobSchema>;

/** POST /store/missing: which of these chunks the store does not hold. */
export const missingRequestSchema = z.strictObject({
  chunks: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(65536),
});
export const missingReplySchema = z.strictObject({ missing: z.array(z.string()) });

/**
 * POST /captures: a session of this station writes one image into the store. `another-capture` (409): only one at a
 * time does; asked again after `retryAfterSeconds`.
 */
export const captureRequestSchema = z.strictObject({
  station: stationNameSchema,
  passport: hardwarePassportSchema,
});
export const captureJobSchema = z.strictObject({
  jobId: z.string(),
  token,
  station: stationNameSchema,
  storePath: z.string(),
  /** Where chunks are written instead. Index, passport and manifest go to the service in any case. */
  share: shareSchema.nullable(),
  computerName: z.string(),
  stationRole: z.enum(['server', 'client', 'engineering-station', 'domain-controller']),
  /** Of a domain controller, where its directory could be asked: goes into the manifest as it is. */
  domainController: domainControllerMarkSchema.optional(),
  sequence: z.int().positive(),
  previousManifestSha256: z.string().nullable(),
  /** Labels or partition names of data volumes (policy `volumes.data`). */
  dataVolumes: z.array(z.string()),
  /** How this station's capture is held back. */
  limits: z.strictObject({
    /** Bytes a second that are read, and sent. */
    bytesPerSecond: z.int().positive().optional(),
    /** Share of the time that its workers work. */
    loadPercent: z.int().min(1).max(100).optional(),
  }),
  /** STATION_<UTC time>: the image's folder. */
  imageName: z.string(),
});
export type CaptureJob = z.infer<typeof captureJobSchema>;
/** POST /captures/:jobId/commit: manifest in; the service checks every chunk, signs, publishes. */
export const commitReplySchema = z.strictObject({ ref: imageRefSchema, manifestSha256: z.string() });

/** POST /jobs/:jobId/events, for restores and captures alike; status 204. */
export const stepEventsSchema = z.strictObject({ events: z.array(stepEventSchema).max(5000) });

/**
 * POST /jobs/:jobId/report: `machineReportSchema` in, status 204. The same `runId` again is the same report.
 * PUT <storePath>/chunks.castr/<4 digits>/<id>.cacnk and PUT <storePath>/images/<station>/<image name>/<file>:
 * the exact bytes, status 204. GET /health: status 204, no token.
 */
