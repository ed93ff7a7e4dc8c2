import sea from 'node:sea';
import { parentPort, Worker } from 'node:worker_threads';
import { type ErrorCode, exitCodes, RekindleError } from './errors.ts';

/**
 * Worker threads run from source (Node strips the types) and inside the compiled runtime, where each is an
 * asset of the single executable. The runtime's builder bundles every entry as CommonJS `<name>.cjs`.
 */
export const workerEntries = {
  'capture-worker': 'images/src/capture/capture-worker.ts',
  'chunk-reader-worker': 'images/src/mount/chunk-reader-worker.ts',
  'verify-worker': 'images/src/upkeep/verify-worker.ts',
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

/** What a worker thread answers to a task. */
export type WorkerOutcome<T> = { readonly done: T } | { readonly failed: PlainError };

/** Worker threads that stay for several tasks: starting one costs more than it does in a hundred milliseconds. */
export interface WorkerTeam<Task, Result> extends AsyncDisposable {
  /** Gives each of them the task; the first failure is thrown after all have answered or ended. */
  run(task: Task): Promise<Result[]>;
}

/** @param onFailure must make the other workers stop (a flag in shared memory) */
export function startTeam<Task, Result>(
  name: WorkerName,
  count: number,
  workerData: unknown,
  onFailure: () => void,
): WorkerTeam<Task, Result> {
  const members = Array.from({ length: count }, () => {
    const worker = startWorker(name, workerData);
    const member = { worker, answer: (_outcome: WorkerOutcome<Result>): void => {}, ended: false };
    const fail = (error: Error): void => member.answer({ failed: toPlainError(error) });
    worker.on('message', (outcome: WorkerOutcome<Result>) => member.answer(outcome));
    worker.on('error', fail);
    worker.on('exit', (code) => {
      member.ended = true;
      fail(noResult(name, `ended with code ${code}`));
    });
    return member;
  });

  return {
    async run(task) {
      const results: Result[] = [];
      const failures: Error[] = [];
      const ask = (member: (typeof members)[number]): Promise<void> =>
        new Promise((resolve) => {
          member.answer = (outcome) => {
            member.answer = () => {};
            if ('done' in outcome) results.push(outcome.done);
            else {
              failures.push(fromPlainError(outcome.failed));
              onFailure();
            }
            resolve();
          };
          if (member.ended) member.answer({ failed: toPlainError(noResult(name, 'had ended before')) });
          else member.worker.postMessage(task);
        });
      await Promise.all(members.map(ask));
      const [first] = failures;
      if (first !== undefined) throw first;
      return results;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(members.map(({ worker }) => worker.terminate()));
    },
  };
}

function noResult(name: WorkerName, how: string): Error {
  return new Error(`worker thread ${name} ${how} and gave no result`);
}

/** One task for `count` workers on the same data, until all have answered. */
export async function runWorkers<T>(
  name: WorkerName,
  count: number,
  workerData: unknown,
  onFailure: () => void,
): Promise<T[]> {
  await using team = startTeam<null, T>(name, count, workerData, onFailure);
  return await team.run(null);
}

/** The worker's side: does each task it is given, and answers. */
export function answerTasks<Task, Result>(work: (task: Task) => Promise<Result>): void {
  parentPort?.on('message', (task: Task) => {
    work(task).then(
      (done) => parentPort?.postMessage({ done } satisfies WorkerOutcome<Result>),
      (error) => parentPort?.postMessage({ failed: toPlainError(error) } satisfies WorkerOutcome<Result>),
    );
  });
}
