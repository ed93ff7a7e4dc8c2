import fs from 'node:fs';
import { callTool } from '#base/run-tool.ts';

/**
 * Runs a script of ours under strace, which does something to an exact system call. strace counts the calls
 * of each thread for itself; one thread pool thread keeps Node's own few calls from spreading.
 */
const strace = { command: 'strace', debianPackage: 'strace' };

export interface CallPoint {
  readonly call: string;
  /** From 1, for each thread. */
  readonly when: number;
}

export interface TracedRun {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TraceOptions {
  /** Only calls on these paths count. */
  readonly paths?: readonly string[];
  /** The fault hits every later call as well. */
  readonly andLater?: true;
}

function pathArguments({ paths = [] }: TraceOptions): string[] {
  return paths.flatMap((each) => ['-P', each]);
}

async function runStrace(args: readonly string[], child: readonly string[]): Promise<TracedRun> {
  const env = { ...(process.env as Record<string, string>), UV_THREADPOOL_SIZE: '1' };
  const result = await callTool(
    'Injecting a fault',
    strace,
    ['-f', '-qq', ...args, process.execPath, ...child],
    { env },
  );
  return {
    status: result.status < 0 ? null : result.status,
    stdout: result.stdout.toString(),
    stderr: result.stderr,
  };
}

/** @param fault as strace writes it: `signal=KILL`, `error=EIO`, `retval=4096` */
export function runWithFault(
  child: readonly string[],
  { call, when }: CallPoint,
  fault: string,
  options: TraceOptions = {},
): Promise<TracedRun> {
  const inject = [`--trace=${call}`, `--inject=${call}:${fault}:when=${when}${options.andLater ? '+' : ''}`];
  return runStrace(['-o', '/dev/null', ...inject, ...pathArguments(options)], child);
}

/** A run without a fault: every point at which the same run can be hit, the calls of the busiest thread each. */
export async function listCallPoints(
  child: readonly string[],
  calls: readonly string[],
  logFile: string,
  options: TraceOptions = {},
): Promise<{ readonly run: TracedRun; readonly points: CallPoint[] }> {
  const run = await runStrace(
    ['-o', logFile, `--trace=${calls.join(',')}`, ...pathArguments(options)],
    child,
  );
  const counts = new Map<string, Map<string, number>>();
  for (const line of fs.readFileSync(logFile, 'utf8').split('\n')) {
    const match = /^(\d+)\s+(\w+)\(/.exec(line);
    const [, thread, call] = match ?? [];
    if (thread === undefined || call === undefined) continue;
    const ofCall = counts.get(call) ?? new Map<string, number>();
    ofCall.set(thread, (ofCall.get(thread) ?? 0) + 1);
    counts.set(call, ofCall);
  }
  const points = [...counts].flatMap(([call, threads]) =>
    Array.from({ length: Math.max(...threads.values()) }, (_, n) => ({ call, when: n + 1 })),
  );
  return { run, points };
}
