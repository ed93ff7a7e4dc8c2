import type { Request, Response } from 'express';
import { findJob, type Job } from '../jobs/job-store.ts';
import { beatJobTurn } from '../jobs/job-turn.ts';
import type { Grant } from '../jobs/token.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { authenticate, type Refused, refuse, sendProblem } from './endpoint.ts';
import { withLargeReads } from './large-reads.ts';
import { sendFailureStatus } from './send-failure.ts';

/** Who may read from the store now, and how a file of it leaves. */

export const noSuchFile = refuse(404, { code: 'no-such-file', message: 'The store has no such file.' });

/** The open job of the token, of one of these kinds. */
export function allowed(
  context: ServiceContext,
  request: Request,
  kinds: readonly Grant['kind'][],
): Job | Refused {
  const granted = authenticate(context.state, request, kinds);
  return 'kind' in granted ? granted : openJobOf(context, granted.grant);
}

export function openJobOf(context: ServiceContext, { job: id }: Grant): Job | Refused {
  const job = id === null ? undefined : findJob(context.state, id);
  if (job !== undefined) beatJobTurn(context, job);
  return job === undefined || job.closedAt !== null
    ? refuse(403, { code: 'job-closed', message: 'The job of this token is over.', next: 'Start a new one.' })
    : job;
}

/** Whole or in parts (Range). */
export function sendFile(response: Response, file: string): void {
  response.sendFile(
    file,
    withLargeReads({ dotfiles: 'allow', immutable: true, maxAge: '1d' }),
    (error?: Error) => {
      if (error === undefined || response.headersSent) return;
      sendProblem(response, { ...noSuchFile, status: sendFailureStatus(response, error) });
    },
  );
}
