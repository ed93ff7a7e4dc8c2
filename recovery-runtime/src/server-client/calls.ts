import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import {
  type ArmedReply,
  apiBase,
  armedReplySchema,
  type CaptureJob,
  captureJobSchema,
  commitReplySchema,
  enrolReplySchema,
  type ImageSummary,
  imageListSchema,
  type LogOnReply,
  logOnReplySchema,
  type Problem,
  type RestoreJob,
  restoreJobSchema,
} from '#contract/api.ts';
import {
  type HookMaterial,
  hookMaterialSchema,
  type PreflightReply,
  preflightReplySchema,
} from '#contract/first-boot.ts';
import type { MachineReport, StepEvent } from '#contract/run-report.ts';
import type { StationName } from '#images/format/image-manifest.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { imageFilePath } from './image-files.ts';
import { refusalError } from './problem.ts';
import type { ServerClient } from './server-client.ts';

/** Every call of the API that the runtime makes, one function each; what it answers is checked. */

const nothing = z.unknown();
type CommitReply = z.infer<typeof commitReplySchema>;

/** Any answer at all shows that the service is there and that its certificate is the site's. */
export async function reachServer(server: ServerClient): Promise<void> {
  await server.ask({
    doing: `reaching the recovery service at ${server.address.url}`,
    method: 'GET',
    path: `${apiBase}/health`,
    reply: nothing,
    repeatable: true,
  });
}

/** Asking uses nothing up: the permission ends with the restore that it was for. */
export async function askArmed(server: ServerClient, passport: HardwarePassport): Promise<ArmedReply> {
  return server.get({
    doing: 'asking whether this station is armed',
    method: 'POST',
    path: `${apiBase}/armed`,
    json: { passport },
    reply: armedReplySchema,
    repeatable: true,
  });
}

export type LogOnOutcome =
  | { readonly kind: 'logged-on'; readonly session: LogOnReply }
  | { readonly kind: 'refused'; readonly problem: Problem };

/** A try counts against the technician, so it is never sent twice. */
export async function logOn(
  server: ServerClient,
  credentials: { readonly technician: string; readonly password: string },
  passport: HardwarePassport,
): Promise<LogOnOutcome> {
  const reply = await server.ask({
    doing: `logging on as ${credentials.technician}`,
    method: 'POST',
    path: `${apiBase}/log-on`,
    json: { ...credentials, passport },
    reply: logOnReplySchema,
    repeatable: false,
  });
  return reply.kind === 'ok'
    ? { kind: 'logged-on', session: reply.value }
    : { kind: 'refused', problem: reply.problem };
}

export async function listImages(
  server: ServerClient,
  token: string,
  station: StationName,
): Promise<readonly ImageSummary[]> {
  const { images } = await server.get({
    doing: `listing the images of ${station}`,
    method: 'GET',
    path: `${apiBase}/stations/${encodeURIComponent(station)}/images`,
    token,
    reply: imageListSchema,
    repeatable: true,
  });
  return images;
}

export async function openRestoreJob(
  server: ServerClient,
  token: string,
  request: { readonly station: StationName; readonly image: string; readonly passport: HardwarePassport },
): Promise<RestoreJob> {
  return server.get({
    doing: `opening a restore of ${request.image}`,
    method: 'POST',
    path: `${apiBase}/jobs`,
    token,
    json: request,
    reply: restoreJobSchema,
    repeatable: true,
  });
}

export async function enrolStation(
  server: ServerClient,
  token: string,
  request: { readonly name: StationName; readonly passport: HardwarePassport },
): Promise<StationName> {
  const { station } = await server.get({
    doing: `enrolling this machine as ${request.name}`,
    method: 'POST',
    path: `${apiBase}/stations`,
    token,
    json: request,
    reply: enrolReplySchema,
    repeatable: true,
  });
  return station.name;
}

/**
 * Waits for as long as another capture has its turn in the store.
 * @param onWait told why, each time that the service is asked in vain
 */
export async function openCaptureJob(
  server: ServerClient,
  token: string,
  request: { readonly station: StationName; readonly passport: HardwarePassport },
  onWait: (message: string) => void,
): Promise<CaptureJob> {
  const doing = `opening a capture of ${request.station}`;
  for (;;) {
    const reply = await server.ask({
      doing,
      method: 'POST',
      path: `${apiBase}/captures`,
      token,
      json: request,
      reply: captureJobSchema,
      repeatable: true,
    });
    if (reply.kind === 'ok') return reply.value;
    if (reply.problem.code !== 'another-capture') throw refusalError(doing, reply);
    onWait(reply.problem.message);
    await sleep((reply.problem.retryAfterSeconds ?? 10) * 1000);
  }
}

/** Writes one of the image's files into the store; writing the same bytes again changes nothing. */
export async function putImageFile(
  server: ServerClient,
  job: CaptureJob,
  file: { readonly name: string; readonly bytes: Uint8Array },
): Promise<void> {
  await server.get({
    doing: `writing ${file.name} of ${job.imageName}`,
    method: 'PUT',
    path: imageFilePath(job.storePath, job.imageName, file.name),
    token: job.token,
    bytes: file.bytes,
    contentType: 'application/octet-stream',
    reply: nothing,
    repeatable: true,
  });
}

/**
 * The service reads every chunk again, signs and publishes; asked again for as long as it is at it.
 * @param manifest the bytes that are to be signed; the reply has the SHA-256 of those that were
 */
export async function commitCapture(
  server: ServerClient,
  job: CaptureJob,
  manifest: Uint8Array,
): Promise<CommitReply> {
  return server.get({
    doing: `finishing the image ${job.imageName}`,
    method: 'POST',
    path: `${apiBase}/captures/${encodeURIComponent(job.jobId)}/commit`,
    token: job.token,
    bytes: manifest,
    reply: commitReplySchema,
    repeatable: true,
  });
}

/** Runs the station's preflight hooks on the server; again, when asked again. */
export async function askPreflight(server: ServerClient, job: OpenJob): Promise<PreflightReply> {
  return server.get({
    doing: 'asking the service whether what follows the restore can work',
    method: 'POST',
    path: `${apiBase}/jobs/${encodeURIComponent(job.jobId)}/hooks/preflight`,
    token: job.token,
    reply: preflightReplySchema,
    repeatable: true,
  });
}

/** Given once a job, so it is not asked for twice. */
export async function takeHookMaterial(server: ServerClient, job: OpenJob): Promise<HookMaterial> {
  return server.get({
    doing: 'fetching what the hooks of this station need',
    method: 'POST',
    path: `${apiBase}/jobs/${encodeURIComponent(job.jobId)}/hooks/material`,
    token: job.token,
    reply: hookMaterialSchema,
    repeatable: false,
  });
}

interface OpenJob {
  readonly jobId: string;
  readonly token: string;
}

export async function postEvents(
  server: ServerClient,
  job: OpenJob,
  events: readonly StepEvent[],
): Promise<void> {
  await server.get({
    doing: 'sending step events',
    method: 'POST',
    path: `${apiBase}/jobs/${encodeURIComponent(job.jobId)}/events`,
    token: job.token,
    json: { events },
    reply: nothing,
    repeatable: true,
  });
}

/** `runId` in the report makes a second copy of it recognisable. */
export async function postReport(server: ServerClient, job: OpenJob, report: MachineReport): Promise<void> {
  await server.get({
    doing: 'sending the run report',
    method: 'POST',
    path: `${apiBase}/jobs/${encodeURIComponent(job.jobId)}/report`,
    token: job.token,
    json: report,
    reply: nothing,
    repeatable: true,
  });
}
