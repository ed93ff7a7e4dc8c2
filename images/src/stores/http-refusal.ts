import { type ErrorCode, RekindleError } from '#base/errors.ts';
import type { HttpStoreRef } from './chunk-store.ts';
import type { HttpReply } from './http-request.ts';

/**
 * What a server that is there answered instead of what was asked for. It was reached, so it is never
 * `store-unreachable`, whose advice (cable, service) would send people to the wrong place; a service of ours says
 * itself what to do next.
 */
export function refusedByStore(
  what: string,
  { url, token }: Pick<HttpStoreRef, 'url' | 'token'>,
  { status, body }: HttpReply,
): RekindleError {
  const said = parseProblem(body);
  const cause = said?.message ?? body.toString('utf8', 0, 500).trim();
  return new RekindleError(codeOf(status), `${what}: image store ${url} answered with status ${status}`, {
    ...(cause === '' ? {} : { cause: new Error(cause) }),
    next: said?.next ?? adviceOf(status, token !== undefined),
    details: { status },
  });
}

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return 'usage';
  return status === 507 ? 'store-unreachable' : 'unexpected';
}

function adviceOf(status: number, hasToken: boolean): string {
  if (status === 401 || status === 403) {
    return hasToken
      ? 'The permission for this job has ended or is for another job: log on and start again; verified work is kept.'
      : 'The server does not let this computer do that: check its access rules, or use another address of the store.';
  }
  if (status === 405 || status === 501) {
    return 'This web server only reads. Write to the folder that it serves, or to another store.';
  }
  if (status === 507) return 'Free some space in the store, then start again: what is stored is reused.';
  return 'Look at the log of the server that holds the store.';
}

/** A problem of our API (contract); by hand, for worker threads load this file too. */
function parseProblem(
  body: Buffer,
): { readonly message: string; readonly next: string | undefined } | undefined {
  try {
    const problem: unknown = JSON.parse(body.toString('utf8'));
    if (typeof problem !== 'object' || problem === null || !('message' in problem)) return undefined;
    if (typeof problem.message !== 'string') return undefined;
    const next = 'next' in problem && typeof problem.next === 'string' ? problem.next : undefined;
    return { message: problem.message, next };
  } catch {
    return undefined;
  }
}
