import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { callTool, runTool } from '#base/run-tool.ts';
import type { StationTicket } from '#contract/station-ticket.ts';

const blkid = { command: 'blkid', debianPackage: 'util-linux' };
const mount = { command: 'mount', debianPackage: 'busybox-static' };
const umount = { command: 'umount', debianPackage: 'busybox-static' };
const mountPoint = '/run/rekindle/medium';
const protect = 'nodev,nosuid,noexec';

/**
 * The medium that this machine booted from, mounted read-only for as long as the run lasts: whoever looks at what
 * uses which disk finds it in use, and no restore takes it for a target.
 */
export interface OpenMedium extends AsyncDisposable {
  readonly device: string;
  readonly folder: string;
  /** Lets `work` write into the folder, and flushes it; only a medium with FAT can be written. */
  readonly write?: (work: () => Promise<void>) => Promise<void>;
}

/** Nothing when it was taken out, or when nothing drives what it is in: what runs is in memory and goes on. */
export async function openMedium({
  fileSystemUuid,
}: Pick<StationTicket, 'fileSystemUuid'>): Promise<OpenMedium | undefined> {
  const device = await findDevice(fileSystemUuid);
  if (device === undefined) return undefined;
  const isFat = fileSystemUuid.length === '1A2B-3C4D'.length;
  const mounting = `mounting the medium ${device}`;
  await mkdir(mountPoint, { recursive: true });
  await runTool(mounting, mount, [
    ...['-t', isFat ? 'vfat' : 'iso9660', '-o', `ro,${protect}`, device, mountPoint],
  ]);
  const remount = (mode: 'ro' | 'rw') =>
    runTool(mounting, mount, ['-o', `remount,${mode},${protect}`, mountPoint]);
  return {
    device,
    folder: mountPoint,
    ...(isFat
      ? {
          async write(work) {
            await remount('rw');
            try {
              await work();
            } finally {
              // Read-only again flushes what was written.
              await remount('ro');
            }
          },
        }
      : {}),
    async [Symbol.asyncDispose]() {
      await runTool(`unmounting the medium ${device}`, umount, [mountPoint]);
      await rmdir(mountPoint);
    },
  };
}

async function findDevice(uuid: string): Promise<string | undefined> {
  const { stdout } = await callTool('looking for the medium', blkid, ['-c', '/dev/null', '-U', uuid]);
  return stdout.toString().trim() || undefined;
}

/** Reads every file that the ticket lists; answers those that are missing or changed. */
export async function findDamagedFiles(
  folder: string,
  files: StationTicket['files'],
  progress: (doneBytes: number, totalBytes: number) => void,
): Promise<string[]> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const damaged: string[] = [];
  let done = 0;
  for (const { path, bytes, sha256 } of files) {
    const found = await hashOf(join(folder, path)).catch(() => undefined);
    if (found !== sha256) damaged.push(path);
    done += bytes;
    progress(done, total);
  }
  return damaged;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part);
  return hash.digest('hex');
}
