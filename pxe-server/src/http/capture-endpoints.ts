import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Router } from 'express';
import type * as z from 'zod';
import { errorChain, RekindleError } from '#base/errors.ts';
import { captureJobSchema, captureRequestSchema, commitReplySchema } from '#contract/api.ts';
import {
  type DomainControllerMark,
  type ImageManifest,
  imageManifestSchema,
} from '#images/format/image-manifest.ts';
import {
  formatImageName,
  formatImageRef,
  type ImageName,
  parseImageName,
} from '#images/format/image-name.ts';
import { signBytes } from '#images/format/minisign.ts';
import { warnOfRole } from '#images/format/role-contradiction.ts';
import { beginAnnouncement, keepAlive } from '#images/stores/announcement.ts';
import { makeFolderDurably } from '#images/stores/durable-write.ts';
import { imageFolder, manifestFile, readManifest } from '#images/stores/image-folder.ts';
import { continueChain, nameNextImage } from '#images/stores/next-image.ts';
import { publishImage } from '#images/stores/publish-image.ts';
import { markOfStation } from '../hooks/mark-of-station.ts';
import { captureFolder, readCaptureFiles, removeCapture } from '../jobs/capture-folder.ts';
import { checkCapture } from '../jobs/check-capture.ts';
import { abandonCaptures, findJob, type Job, listJobs, markCommitted, openJob } from '../jobs/job-store.ts';
import { beatJobTurn, releaseJobTurn, takeJobTurn } from '../jobs/job-turn.ts';
import { mintToken } from '../jobs/token.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { captureLimits } from '../stations/capture-policy.ts';
import { currentEnrolment } from '../stations/enrolment-window.ts';
import { meetMachine } from '../stations/recognise-machine.ts';
import type { Station } from '../stations/station.ts';
import { getStation } from '../stations/station-registry.ts';
import { addEndpoint, notAllowed, ok, type Reply, refuse } from './endpoint.ts';
import { findShare, storePath } from './job-endpoints.ts';
import { createLongWork } from './long-work.ts';
import { refusePermission, refuseStation } from './permission.ts';

export function addCaptureEndpoints(router: Router, context: ServiceContext): void {
  const { state, configuration, store, journal, log } = context;
  const whileItReads = createLongWork<z.input<typeof commitReplySchema>>(
    'The service is still reading the image again.',
  );

  addEndpoint(router, state, {
    method: 'post',
    path: '/captures',
    grant: ['session'],
    body: captureRequestSchema,
    reply: captureJobSchema,
    async handle({ grant, body: { station: name, passport }, machine }) {
      const permission = currentEnrolment(state) === undefined ? 'capture' : 'capture-while-enrolling';
      const refused = refuseStation(grant, name) ?? refusePermission(state, grant, permission);
      if (refused !== undefined) return refused;
      if (meetMachine(state, passport).station?.name !== name) {
        return notAllowed(`This machine is not recognised as station ${name} any more.`);
      }
      const share = await findShare(context);
      if (share !== null && share.kind === 'refused') return share;
      const station = getStation(state, name);
      // Before the image's time: it is never older than its mark.
      const mark = await markController(context, station);
      const image = await nameNextImage(store, name, new Date());
      const { chain, unreadable } = await continueChain(store, name, context.signingKey);
      if (unreadable.length > 0)
        log.error({ images: unreadable.map(formatImageRef) }, 'images of the station are damaged');
      const imageName = formatImageName(image);
      const { how, technician } = grant;
      // Its machine was started again, or the reply to the first request was lost.
      for (const job of listJobs(state, name).filter(isRunningCapture))
        await releaseJobTurn(context, job, 'given-up');
      const turn = await takeJobTurn(context, { imageName, station: name, technician });
      if (turn.kind === 'busy') {
        return refuse(409, {
          code: 'another-capture',
          message: `Only one capture at a time writes into the image store: ${turn.sentence}.`,
          next: 'Wait until it has ended, then start again.',
          retryAfterSeconds: turn.retrySeconds,
        });
      }
      const asked = { station: name, imageName, manifestSha256: null, how, technician, machine };
      // A capture that was interrupted ends here; its chunks are in the store and are reused. Nothing is waited for
      // between this and the new job: of two that ask at once, one stays.
      const abandoned = abandonCaptures(state, name);
      const jobId = openJob(state, { kind: 'capture', ...asked });
      const expiresAt = Date.now() + configuration.tokens.jobHours * 3_600_000;
      const token = mintToken(state, {
        kind: 'capture',
        technician,
        how,
        station: name,
        job: jobId,
        expiresAt,
      });
      await beginAnnouncement(store, jobId);
      await makeFolderDurably(captureFolder(store, jobId));
      for (const job of abandoned) await removeCapture(store, job);
      journal.record({ machine, stage: 'runtime', sentence: `${technician} opens a capture of ${name}` });
      log.info({ machine, station: name, job: jobId, image: imageName }, 'capture opened');
      return ok({
        jobId,
        token,
        station: name,
        storePath,
        share,
        computerName: station.computerName,
        stationRole: station.role,
        ...(mark === undefined ? {} : { domainController: mark }),
        ...chain,
        dataVolumes: configuration.volumes.data,
        limits: captureLimits(station, configuration.captures),
        imageName,
      });
    },
  });

  addEndpoint(router, state, {
    method: 'post',
    path: '/captures/:jobId/commit',
    grant: ['capture'],
    body: imageManifestSchema,
    reply: commitReplySchema,
    limit: '16mb',
    async handle({ parameters, body: manifest, machine }) {
      const job = findJob(state, parameters['jobId'] ?? '');
      const name = job === undefined ? null : parseImageName(job.imageName);
      if (job === undefined || name === null) return notAllowed();
      beatJobTurn(context, job);
      // Checking a large image takes long, and `gc` must not take the capture for dead.
      await keepAlive(store, job.id).catch(() => {});
      // The reply to the first request may have been lost.
      const committed = await committedManifest(context, job);
      if (committed !== undefined) return ok({ ref: formatImageRef(name), manifestSha256: committed });
      if (job.closedAt !== null) {
        return refuse(409, { code: 'job-closed', message: 'This capture is over; start a new one.' });
      }
      return whileItReads(job.id, () => commitCapture(context, { job, name, manifest, machine }));
    },
  });
}

/** An image of a controller without a mark is still an image; its preflight knows less then. */
async function markController(
  { paths, log }: ServiceContext,
  station: Station,
): Promise<DomainControllerMark | undefined> {
  if (station.role !== 'domain-controller') return undefined;
  try {
    const mark = await markOfStation(paths, station);
    if (!('unknown' in mark)) return mark;
    log.warn({ station: station.name, reason: mark.unknown }, 'domain controller without mark');
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    log.warn({ station: station.name, reasons: errorChain(error) }, 'domain controller without mark');
  }
  return undefined;
}

const isRunningCapture = ({ kind, closedAt, manifestSha256 }: Job): boolean =>
  kind === 'capture' && closedAt === null && manifestSha256 === null;

interface Commit {
  readonly job: Job;
  readonly name: ImageName;
  readonly manifest: ImageManifest;
  readonly machine: string;
}

/** Reads everything again, signs, publishes. Once at a time for a job: it takes long, and clients ask again. */
async function commitCapture(
  context: ServiceContext,
  { job, name, manifest, machine }: Commit,
): Promise<Reply<{ ref: string; manifestSha256: string }>> {
  const { state, store, journal, log } = context;
  const ref = formatImageRef(name);
  const folder = captureFolder(store, job.id);
  const { chain } = await continueChain(store, name.station, context.signingKey);
  const expected = { image: name, ...chain };
  const problems = await checkCapture(store, folder, manifest, expected);
  if (problems.length > 0) {
    log.error({ job: job.id, image: ref, problems }, 'captured image refused');
    return refuse(409, {
      code: 'image-not-complete',
      message: `The image is not what its manifest says: ${problems.join('; ')}`.slice(0, 2000),
      next: 'Capture the station again; chunks that are in the store are not sent twice.',
    });
  }
  const bytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
  const signature = signBytes(bytes, context.signingKey, `rekindle image ${ref}`);
  const files = await readCaptureFiles(store, job.id, manifest);
  await publishImage(store, name, { manifestBytes: bytes, signature, files }, job.id);
  await removeCapture(store, job.id);
  await releaseJobTurn(context, job, 'ended');
  const manifestSha256 = hash('sha256', bytes);
  markCommitted(state, job.id, manifestSha256);
  journal.record({ machine, stage: 'runtime', sentence: `has its image ${ref} in the store` });
  log.info({ job: job.id, image: ref, manifestSha256 }, 'image published');
  const wrongRole = warnOfRole(manifest);
  if (wrongRole !== undefined) {
    log.warn({ job: job.id, image: ref, reason: wrongRole }, 'role of the station contradicts its image');
    journal.record({ machine, stage: 'runtime', sentence: wrongRole });
  }
  return ok({ ref, manifestSha256 });
}

/** Also after a crash between the publication and its record in the state. */
async function committedManifest(context: ServiceContext, job: Job): Promise<string | undefined> {
  if (job.manifestSha256 !== null) return job.manifestSha256;
  const name = parseImageName(job.imageName);
  if (name === null || !existsSync(join(imageFolder(context.store, name), manifestFile))) return undefined;
  const { manifestSha256 } = await readManifest(context.store, name, context.signingKey);
  markCommitted(context.state, job.id, manifestSha256);
  return manifestSha256;
}
