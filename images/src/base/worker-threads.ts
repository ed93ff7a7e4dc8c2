import sea from 'node:sea';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, exitCodes, RekindleError } from './errors.ts';

/**
 * Worker threads run from source (Node strips the types) and inside the compiled runtime, where each is an
 * asset of the single executable. The runtime's builder bundles every entry as CommonJS `<name>.cjs`.
 */
export const workerEntries = {
  'capture-worker': 'images/src/capture/capture-worker.ts',
  'chunk-reader-worker': 'images/src/mount/chunk-reader-worker.ts',
  'restore-worker': 'recovery-runtime/src/restore/restore-worker.ts',
} as const;

export type WorkerName = keyof typeof workerEntries;

export function startWorker(name: WorkerName, workerData: unknown): Worker {
  return sea.isSea()
    ? new Worker(sea.getAsset(`${name}.cjs`, 'utf8'), { eval: true, workerData, name })
    : new Worker(new URL(`../../../${workerEntries[name]}`, import.meta.url), { workerData, name });
}

/** An error as it crosses from a worker thread: structured clone drops our fields. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly next?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: PlainError;
}

export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    name: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(error instanceof RekindleError && error.next !== undefined ? { next: error.next } : {}),
    ...(error instanceof RekindleError ? { details: error.details } : {}),
    ...(error.cause === undefined ? {} : { cause: toPlainError(error.cause) }),
  };
}

export function fromPlainError(plain: PlainError): Error {
  const cause = plain.cause === undefined ? undefined : fromPlainError(plain.cause);
  if (plain.name === 'RekindleError' && plain.code !== undefined && plain.code in exitCodes) {
    return new RekindleError(plain.code as ErrorCode, plain.message, {
      ...(cause === undefined ? {} : { cause }),
      ...(plain.next === undefined ? {} : { next: plain.next }),
      ...(plain.details === undefined ? {} : { details: plain.details }),
    });
  }
  const error = new Error(plain.message, cause === undefined ? {} : { cause });
  return plain.code === undefined ? error : Object.assign(error, { code: plain.code });
}

/** Last message of every worker thread that `runWorkers` started. */
export type WorkerOutcome<T> = { readonly done: T } | { readonly failed: PlainError };

/**
 * Runs `count` workers on the same data until all have ended. The first failure is thrown after the others
 * stopped: `onFailure` must make them stop (a flag in shared memory).
 */
export async function runWorkers<T>(
  name: WorkerName,
  count: number,
  workerData: unknown,
  onFailure: () => void,
): Promise<T[]> {
  const failures: Error[] = [];
  const fail = (error: Error): void => {
    failures.push(error);
    onFailure();
  };
  const results: T[] = [];
  const run = (): Promise<void> =>
    new Promise((resolve) => {
      const worker = startWorker(name, workerData);
      let spoke = false;
      worker.on('message', (outcome: WorkerOutcome<T>) => {
        spoke = true;
        if ('done' in outcome) results.push(outcome.done);
        else fail(fromPlainError(outcome.failed));
      });
      worker.on('error', fail);
      worker.on('exit', (code) => {
        if (!spoke && failures.length === 0)
          fail(new Error(`worker thread ${name} ended with code ${code} and no result`));
        resolve();
      });
    });
  await Promise.all(Array.from({ length: count }, run));
  const [first] = failures;
  if (first !== undefined) throw first;
  return results;
}
