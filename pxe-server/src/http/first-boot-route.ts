import express, { type Express } from 'express';
import { firstBootReportSchema } from '#contract/first-boot.ts';
import type { FirstBootConfirmations } from '../hooks/first-boot-confirmations.ts';
import { acknowledgement, firstBootKey, isMacOf } from '../hooks/first-boot-key.ts';
import { findJobHooks } from '../hooks/hook-store.ts';
import { takeFirstBootReport } from '../hooks/take-first-boot-report.ts';
import { findJob } from '../jobs/job-store.ts';
import type { ServiceContext } from '../serve/service-context.ts';

/** A step's evidence is cut on the station; this is what 64 of them can be. */
const reportLimit = '4mb';

/**
 * Reports of first boots (contract/first-boot.ts). Plain HTTP, because a station that was restored a minute ago has
 * neither the site's CA nor, on Windows 7, a TLS of today; every body is signed with the job's one-time key, and so
 * is the answer. Whoever has no key learns nothing, not even whether the job exists.
 */
export function addFirstBootRoute(
  app: Express,
  context: ServiceContext,
  confirmations: Pick<FirstBootConfirmations, 'begin'>,
): void {
  const { state, signingKey, log } = context;
  const readBody = express.raw({ limit: reportLimit, type: () => true });
  app.post('/first-boot/:jobId', readBody, (request, response) => {
    const refuse = (status: number, sentence: string) =>
      void response.status(status).type('text/plain').send(`${sentence}\n`);
    const bytes: unknown = request.body;
    const mac = request.get('Rekindle-Mac') ?? '';
    const jobId = String(request.params.jobId);
    const key = firstBootKey(signingKey, jobId);
    if (!Buffer.isBuffer(bytes) || !isMacOf(key, bytes, mac)) {
      log.warn({ job: jobId, from: request.socket.remoteAddress }, 'first boot report refused');
      return refuse(403, 'this report is not signed with the key of its job');
    }
    const parsed = firstBootReportSchema.safeParse(parseJson(bytes));
    if (!parsed.success || parsed.data.jobId !== jobId)
      return refuse(400, 'this is no report of a first boot');
    const report = parsed.data;
    const job = findJob(state, jobId);
    const hooks = findJobHooks(state, jobId);
    if (job === undefined || hooks === undefined) return refuse(404, 'there is no such job');
    const { fresh } = takeFirstBootReport(context, job, hooks, report);
    response
      .set('Cache-Control', 'no-store')
      .type('text/plain')
      .send(acknowledgement(key, report.sequence, report.last));
    if (fresh && report.last) confirmations.begin(jobId);
  });
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
