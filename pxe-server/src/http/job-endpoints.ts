import type { Router } from 'express';
import { errorChain, RekindleError } from '#base/errors.ts';
import { apiBase, jobRequestSchema, restoreJobSchema, stepEventsSchema } from '#contract/api.ts';
import { machineReportSchema } from '#contract/run-report.ts';
import type { Share } from '#contract/share.ts';
import { formatImageName, formatImageRef, parseImageRef } from '#images/format/image-name.ts';
import { comparePassports } from '#images/passport/compare-passports.ts';
import { readManifest, resolveImage, type SignedManifest } from '#images/stores/image-folder.ts';
import { closeRun } from '../jobs/close-run.ts';
import { beatHeldImage, holdImage, releaseImage } from '../jobs/held-image.ts';
import { discardJob, findJob, openJob } from '../jobs/job-store.ts';
import { beatJobTurn, releaseJobTurn } from '../jobs/job-turn.ts';
import { shareForJob } from '../jobs/share-for-job.ts';
import { mintToken } from '../jobs/token.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { findArmed } from '../stations/arming.ts';
import { recogniseMachine } from '../stations/recognise-machine.ts';
import { getStation } from '../stations/station-registry.ts';
import { addEndpoint, notAllowed, nothing, ok, type Refused, refuse } from './endpoint.ts';
import { refusePermission, refuseStation } from './permission.ts';

export const storePath = `${apiBase}/store`;

export function addJobEndpoints(router: Router, context: ServiceContext): void {
  const { state, configuration, journal, log } = context;

  addEndpoint(router, state, {
    method: 'post',
    path: '/jobs',
    grant: ['session'],
    body: jobRequestSchema,
    reply: restoreJobSchema,
    async handle({ grant, body: { station: name, image: ref, passport }, machine }) {
      const refused = refuseStation(grant, name) ?? refusePermission(state, grant, 'restore');
      if (refused !== undefined) return refused;
      if (recogniseMachine(state, passport)?.name !== name) {
        return notAllowed(`This machine is not recognised as station ${name} any more.`);
      }
      if (grant.how === 'armed' && findArmed(state, name)?.image !== ref) {
        return notAllowed(`Station ${name} is not armed to restore ${ref}.`);
      }
      const image = await readImage(context, ref);
      if ('kind' in image) return image;
      const { signed } = image;
      if (signed.manifest.station !== name) {
        return notAllowed(`${ref} is an image of ${signed.manifest.station}, not of ${name}.`);
      }
      const station = getStation(state, name);
      const fatal = comparePassports(station.passport, passport).filter(
        ({ severity }) => severity === 'fatal',
      );
      // A refusal is evidence too: other hardware may compare itself with the image and report, and no more.
      const kind = fatal.length === 0 ? 'job' : 'comparison';
      const share = kind === 'job' ? await findShare(context) : null;
      if (share !== null && share.kind === 'refused') return share;
      const expiresAt = Date.now() + configuration.tokens.jobHours * 3_600_000;
      const { how, technician } = grant;
      const jobId = openJob(state, {
        kind: 'restore',
        station: name,
        imageName: image.name,
        manifestSha256: signed.manifestSha256,
        how,
        technician,
        machine,
      });
      if (kind === 'job' && !(await holdImage(context, { jobId, image: image.name, machine }))) {
        discardJob(state, jobId);
        const message = `Image ${image.ref} was removed a moment ago.`;
        return refuse(404, { code: 'no-such-image', message, next: 'Choose another image.' });
      }
      const token = mintToken(state, { kind, technician, how, station: name, job: jobId, expiresAt });
      if (kind === 'job') {
        const sentence = `${technician} opens a restore of ${image.ref}`;
        journal.record({ machine, stage: 'runtime', sentence });
        log.info({ machine, station: name, job: jobId, image: image.ref }, 'restore opened');
      } else {
        const sentence = `gets no data of ${image.ref}: the hardware is not identical`;
        journal.record({ machine, stage: 'runtime', sentence });
        log.warn({ machine, station: name, job: jobId, differences: fatal }, 'hardware not identical');
      }
      return ok({
        jobId,
        token,
        station: name,
        image: image.ref,
        manifest: Buffer.from(signed.manifestBytes).toString('base64'),
        manifestSignature: signed.signature,
        registeredPassport: station.passport,
        storePath,
        share,
      });
    },
  });

  addEndpoint(router, state, {
    method: 'post',
    path: '/jobs/:jobId/events',
    grant: ['job', 'comparison', 'capture'],
    body: stepEventsSchema,
    reply: nothing,
    async handle({ parameters, body: { events } }) {
      const job = findJob(state, parameters['jobId'] ?? '');
      if (job === undefined) return ok(undefined);
      beatJobTurn(context, job);
      beatHeldImage(context, job);
      for (const { state: outcome, sentence } of events) {
        if (outcome !== 'done' && outcome !== 'failed') continue;
        journal.record({ machine: job.machine, stage: 'steps', sentence: sentence.slice(0, 300) });
      }
      return ok(undefined);
    },
  });

  addEndpoint(router, state, {
    method: 'post',
    path: '/jobs/:jobId/report',
    grant: ['job', 'comparison', 'capture'],
    body: machineReportSchema,
    reply: nothing,
    limit: '8mb',
    async handle({ parameters, body: report }) {
      const job = findJob(state, parameters['jobId'] ?? '');
      if (job === undefined) return notAllowed();
      if (job.runId === report.runId) return ok(undefined);
      if (job.closedAt !== null) {
        return refuse(409, {
          code: 'job-closed',
          message: 'This job has its report already; start a new one.',
        });
      }
      await closeRun(context, job, report);
      await releaseJobTurn(context, job, 'ended');
      if (job.kind === 'restore') await releaseImage(context, job, report.outcome);
      return ok(undefined);
    },
  });
}

/** The share that chunks are on, or null where stations get them from this service. */
export async function findShare({
  configuration,
  paths,
  log,
}: ServiceContext): Promise<Share | Refused | null> {
  if (configuration.share === undefined) return null;
  try {
    return await shareForJob(configuration.share, paths.folder);
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    log.error({ reasons: errorChain(error) }, 'share not usable');
    return refuse(503, {
      code: 'share-not-usable',
      message: 'The service cannot hand over the share that holds the images; its log says why.',
      // Where the server keeps its secrets is nothing for a station.
      next:
        error.code === 'store-unreachable' && error.next !== undefined
          ? error.next
          : 'Put the password file of the share right on the Rekindle server, then try again.',
    });
  }
}

interface ReadImage {
  readonly ref: string;
  readonly name: string;
  readonly signed: SignedManifest;
}

async function readImage(
  { store, signingKey, log }: ServiceContext,
  ref: string,
): Promise<ReadImage | Refused> {
  try {
    const name = await resolveImage(store, parseImageRef(ref));
    const signed = await readManifest(store, name, signingKey);
    return { ref: formatImageRef(name), name: formatImageName(name), signed };
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    log.warn({ image: ref, reason: error.message }, 'image not readable');
    const next = error.next === undefined ? {} : { next: error.next };
    return error.code === 'verification-failed'
      ? refuse(409, { code: 'image-damaged', message: error.message, ...next })
      : refuse(404, { code: 'no-such-image', message: error.message, ...next });
  }
}
