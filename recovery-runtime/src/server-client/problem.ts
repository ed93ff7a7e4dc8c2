import { type ErrorCode, RekindleError } from '#base/errors.ts';
import { type Problem, problemSchema } from '#contract/api.ts';

/** What the service answered instead of what was asked for, with its HTTP status. */
export interface Refusal {
  readonly status: number;
  readonly problem: Problem;
}

/** A reply of status 4xx or 5xx. One that is not ours (a proxy's page) is named by its status alone. */
export function parseRefusal(status: number, body: Uint8Array): Refusal {
  try {
    return { status, problem: problemSchema.parse(JSON.parse(Buffer.from(body).toString('utf8'))) };
  } catch {
    return {
      status,
      problem: { code: `http-${status}`, message: `the server answered with status ${status}` },
    };
  }
}

const errorCodes: Readonly<Record<string, ErrorCode>> = {
  'unknown-station': 'not-found',
  'no-such-image': 'not-found',
  'hardware-not-identical': 'hardware-not-identical',
  'hook-plan-refused': 'usage',
  'image-damaged': 'verification-failed',
  'image-not-complete': 'verification-failed',
};

/** @param doing what was being done, as the outermost sentence */
export function refusalError(doing: string, { status, problem }: Refusal): RekindleError {
  const code =
    errorCodes[problem.code] ??
    (status === 404 ? 'not-found' : status >= 500 ? 'store-unreachable' : 'unexpected');
  return new RekindleError(code, doing, {
    cause: new Error(problem.message),
    details: { status, problem: problem.code },
    ...(problem.next === undefined ? {} : { next: problem.next }),
  });
}
