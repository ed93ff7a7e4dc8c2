import { type ChildProcess, spawn } from 'node:child_process';
import { RekindleError } from '#base/errors.ts';
import { callTool, runTool } from '#base/run-tool.ts';

const fsfreeze = { command: 'fsfreeze', debianPackage: 'util-linux' };

/**
 * Freezes file systems while `work` runs: nothing is written to any of them in between, so that snapshots made one
 * after the other show one moment. A process of its own thaws them after `seconds`, whatever becomes of this one.
 * @throws RekindleError `target-unfit`: the freeze ended before the work did, and what was made shows no one moment
 */
export async function whileFrozen<T>(
  mountPoints: readonly string[],
  seconds: number,
  work: () => Promise<T>,
): Promise<T> {
  if (mountPoints.length === 0) return work();
  const watchdog = thawAfter(mountPoints, seconds);
  const frozen: string[] = [];
  let early: string | undefined;
  try {
    for (const mountPoint of mountPoints) {
      await runTool(`freezing ${mountPoint}`, fsfreeze, ['--freeze', mountPoint]);
      frozen.push(mountPoint);
    }
    return await work();
  } finally {
    for (const mountPoint of frozen.reverse()) {
      const { status } = await callTool(`thawing ${mountPoint}`, fsfreeze, ['--unfreeze', mountPoint]);
      if (status !== 0) early ??= mountPoint;
    }
    stop(watchdog);
    if (early !== undefined) {
      // biome-ignore lint/correctness/noUnsafeFinally: a snapshot of no one moment is no result, whatever came before.
      throw new RekindleError(
        'target-unfit',
        `making the snapshots: ${early} was thawed after ${seconds} s, before they were complete`,
        { next: 'Capture again when the machine has less to do.' },
      );
    }
  }
}

function thawAfter(mountPoints: readonly string[], seconds: number): ChildProcess {
  const script = 'sleep "$1"; shift; for each; do fsfreeze --unfreeze "$each"; done';
  const child = spawn('sh', ['-c', script, 'sh', String(seconds), ...mountPoints], {
    stdio: 'ignore',
    detached: true,
  });
  child.on('error', () => {});
  child.unref();
  return child;
}

function stop({ pid, exitCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
