import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { callTool, runTool } from '#base/run-tool.ts';
import type { StationTicket } from '#contract/station-ticket.ts';

const blkid = { command: 'blkid', debianPackage: 'util-linux' };
const mount = { command: 'mount', debianPackage: 'busybox-static' };
const umount = { command: 'umount', debianPackage: 'busybox-static' };

export type MediumCheck =
  | { readonly kind: 'whole'; readonly device: string; readonly bytes: number }
  /** It was taken out, or nothing drives what it is in: what runs is in memory and goes on. */
  | { readonly kind: 'not-found' }
  | { readonly kind: 'damaged'; readonly device: string; readonly files: readonly string[] };

/** Reads every file of the medium that this machine booted from, and hashes it. */
export async function checkMediumFiles(
  { fileSystemUuid, files }: StationTicket,
  progress: (doneBytes: number, totalBytes: number) => void,
): Promise<MediumCheck> {
  const device = await findDevice(fileSystemUuid);
  if (device === undefined) return { kind: 'not-found' };
  const folder = '/run/rekindle/medium';
  await mkdir(folder, { recursive: true });
  await runTool(`mounting the medium ${device}`, mount, [
    '-t',
    'iso9660',
    '-o',
    'ro,nodev,nosuid,noexec',
    device,
    folder,
  ]);
  try {
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const damaged: string[] = [];
    let done = 0;
    for (const { path, bytes, sha256 } of files) {
      const found = await hashOf(join(folder, path)).catch(() => undefined);
      if (found !== sha256) damaged.push(path);
      done += bytes;
      progress(done, total);
    }
    return damaged.length === 0
      ? { kind: 'whole', device, bytes: total }
      : { kind: 'damaged', device, files: damaged };
  } finally {
    await runTool(`unmounting the medium ${device}`, umount, [folder]);
    await rmdir(folder);
  }
}

async function findDevice(uuid: string): Promise<string | undefined> {
  const { stdout } = await callTool('looking for the medium', blkid, ['-c', '/dev/null', '-U', uuid]);
  return stdout.toString().trim() || undefined;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part);
  return hash.digest('hex');
}
