import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import { isMounted, umount } from './fuse-file.ts';
import { attachLoopDevice } from './loop-device.ts';
import { describeVolume, type PlannedMount } from './plan-mounts.ts';

export interface MountedVolume {
  readonly folder: string;
  readonly remark: string | undefined;
}

/**
 * Mounts a volume of a disk file. Its loop device is detached by the kernel when it is unmounted, by whomever.
 * @throws RekindleError `unexpected`: no way to mount it worked; every tool's reason is told
 */
export async function mountVolume(
  file: string,
  { volume, folder, ways }: PlannedMount,
  sectorBytes: number,
): Promise<MountedVolume> {
  await using device = await attachLoopDevice(file, volume, sectorBytes);
  const reasons: string[] = [];
  for (const { tool, args, options, remark } of ways) {
    const doing = `Mounting ${describeVolume(volume)} at ${folder}`;
    const reason = await callTool(doing, tool, [...args, '-o', options, device.node, folder]).then(
      ({ status, stderr }) =>
        status === 0 && isMounted(folder) ? null : stderr.trim() || `status ${status}`,
      (error: unknown) => {
        // Another way may do without this tool.
        if (error instanceof RekindleError) return `${error.message}. ${error.next ?? ''}`;
        throw error;
      },
    );
    if (reason === null) return { folder, remark };
    reasons.push(`${tool.command} ${args.join(' ')}: ${reason}`.replaceAll(/\s+/g, ' '));
  }
  throw new RekindleError('unexpected', `Mounting ${describeVolume(volume)} at ${folder}`, {
    cause: new Error(reasons.join('; ')),
    next: 'Install what is missing, or hand the disk to another tool: rekindle image mount --nbd.',
  });
}

const retryMs = 1000;

/**
 * Unmounts, and waits for programs that still use the folder.
 * @param force when aborted, the folder goes away under them
 */
export async function unmountVolume(
  folder: string,
  force: AbortSignal,
  onBusy: (folder: string, reason: string) => void,
): Promise<void> {
  for (let told = false; isMounted(folder); ) {
    const doing = `Unmounting ${folder}`;
    const { status, stderr } = await callTool(doing, umount, [...(force.aborted ? ['--lazy'] : []), folder]);
    if (status === 0) continue;
    if (force.aborted)
      throw new RekindleError('unexpected', doing, {
        cause: new Error(stderr.trim()),
        next: `Unmount it by hand: umount --lazy ${folder}`,
      });
    if (!told) onBusy(folder, stderr.trim());
    told = true;
    await sleep(retryMs, undefined, { signal: force }).catch(() => {});
  }
}

/** A folder to mount at: made when it is not there, and removed again afterwards. */
export function prepareMountPoint(folder: string): Disposable {
  const refuse = (why: string): never => {
    throw new RekindleError('usage', `Mounting at ${folder}: ${why}`, { next: 'Name an empty folder.' });
  };
  // Asked first: to look into a mount of our own, this thread would have to wait for itself.
  if (isMounted(folder)) refuse('something is mounted there');
  const stat = fs.statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) {
    fs.mkdirSync(folder);
    return { [Symbol.dispose]: () => removeEmpty(folder) };
  }
  if (!stat.isDirectory()) refuse('it is no folder');
  if (fs.readdirSync(folder).length > 0) refuse('it is not empty');
  return { [Symbol.dispose]() {} };
}

/** Never more than an empty folder: what is mounted there, or was put there since, stays. */
function removeEmpty(folder: string): void {
  try {
    fs.rmdirSync(folder);
  } catch {}
}
