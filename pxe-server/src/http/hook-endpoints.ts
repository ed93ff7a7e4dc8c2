import type { Router } from 'express';
import type * as z from 'zod';
import { errorChain, RekindleError } from '#base/errors.ts';
import { hookMaterialSchema, preflightReplySchema } from '#contract/first-boot.ts';
import type { HookPlan } from '#contract/hook.ts';
import { firstBootKey } from '../hooks/first-boot-key.ts';
import { claimMaterial, findJobHooks, keepPreflight } from '../hooks/hook-store.ts';
import { readImageUnderRestore } from '../hooks/image-under-restore.ts';
import { provideMaterial } from '../hooks/provide-material.ts';
import { readHookPlan } from '../hooks/read-hook-plan.ts';
import { runPreflight } from '../hooks/run-preflight.ts';
import type { ImageUnderRestore } from '../hooks/server-hook.ts';
import { findJob, type Job } from '../jobs/job-store.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { getStation } from '../stations/station-registry.ts';
import { addEndpoint, notAllowed, nothing, ok, type Refused, type Reply, refuse } from './endpoint.ts';
import { createLongWork } from './long-work.ts';

/** What follows the restore: preflight before it, and what the station needs after it (contract/first-boot.ts). */
export function addHookEndpoints(router: Router, context: ServiceContext): void {
  const { state, paths, signingKey, log } = context;
  const whileItLooks = createLongWork<z.input<typeof preflightReplySchema>>(
    'The service is still looking whether what follows the restore can work.',
  );
  const preflight = async (job: Job): Promise<Reply<z.input<typeof preflightReplySchema>>> => {
    const plan = await readPlan(context, job);
    if ('kind' in plan) return plan;
    const records = await runPreflight(plan, await imageOf(context, job), paths.folder);
    keepPreflight(state, job.id, plan, records);
    const outcomes = records.map(({ hook, result }) => `${hook}: ${result.outcome}`);
    log.info({ job: job.id, station: job.station, outcomes }, 'preflight hooks');
    return ok({ plan, records });
  };

  addEndpoint(router, state, {
    method: 'post',
    path: '/jobs/:jobId/hooks/preflight',
    grant: ['job'],
    body: nothing,
    reply: preflightReplySchema,
    async handle({ parameters }) {
      const job = findJob(state, parameters['jobId'] ?? '');
      if (job === undefined || job.closedAt !== null) return notAllowed();
      return whileItLooks(job.id, () => preflight(job));
    },
  });

  addEndpoint(router, state, {
    method: 'post',
    path: '/jobs/:jobId/hooks/material',
    grant: ['job'],
    body: nothing,
    reply: hookMaterialSchema,
    async handle({ parameters, serviceAddress }) {
      const job = findJob(state, parameters['jobId'] ?? '');
      const hooks = job === undefined ? undefined : findJobHooks(state, job.id);
      if (job === undefined || job.closedAt !== null || hooks === undefined) return notAllowed();
      // Before the claim: a store that hiccups must not use up what is given once.
      const image = await imageOf(context, job);
      if (!claimMaterial(state, job.id)) {
        return refuse(409, {
          code: 'material-given',
          message:
            'What the hooks of this restore hand to the station was given out already; it is given once.',
          next: 'Start the restore again; what is right on the disks is kept.',
        });
      }
      const provided = await provideMaterial(hooks.plan, hooks.preflight, image, paths.folder);
      log.info(
        { job: job.id, station: job.station, files: provided.files.length, failed: provided.failed },
        'hook material given out',
      );
      return ok({
        firstBootKey: firstBootKey(signingKey, job.id).toString('hex'),
        servers: [`http://${serviceAddress}:${context.configuration.http.port}`],
        ...provided,
      });
    },
  });
}

async function readPlan({ state, paths, log }: ServiceContext, job: Job): Promise<HookPlan | Refused> {
  try {
    return await readHookPlan(paths, getStation(state, job.station));
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    log.error({ station: job.station, reasons: errorChain(error) }, 'hook plan refused');
    return refuse(409, {
      code: 'hook-plan-refused',
      message: error.message.slice(0, 2000),
      ...(error.next === undefined ? {} : { next: error.next }),
    });
  }
}

async function imageOf(context: ServiceContext, job: Job): Promise<ImageUnderRestore> {
  const image = await readImageUnderRestore(context, job);
  if (image === undefined) throw new RangeError(`job ${job.id} has no image`);
  return image;
}
