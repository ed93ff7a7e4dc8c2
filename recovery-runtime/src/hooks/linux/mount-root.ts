import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { errorChain, RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import { parseMountInfo } from '#images/block-device/mounts-of-disk.ts';
import type { Volume } from '#images/format/image-manifest.ts';
import { attachPartition, type DiskPath } from '../windows/volume/partition-device.ts';

const mount = { command: 'mount', debianPackage: 'mount' };
const blockdev = { command: 'blockdev', debianPackage: 'util-linux' };
const umount = { command: 'umount', debianPackage: 'mount' };

export interface MountedRoot extends AsyncDisposable {
  readonly root: string;
}

/** What the kernel of the runtime can write. */
const fileSystems = new Set(['ext4', 'ext3', 'ext2']);

/** Volumes that may hold a Linux root, in the order in which they are looked at. */
export function linuxCandidates(volumes: readonly Volume[]): Volume[] {
  return volumes.filter(
    ({ role, fileSystem }) => role === 'system' && fileSystem !== undefined && fileSystems.has(fileSystem),
  );
}

/** Undefined: there is no system with systemd on it. Mounting replays the file system's own journal. */
export async function mountLinuxRoot(disk: DiskPath, volume: Volume): Promise<MountedRoot | undefined> {
  const doing = `mounting partition ${volume.number} of ${disk.path}`;
  await using stack = new AsyncDisposableStack();
  const { node } = stack.use(await attachPartition(disk, partitionOf(volume), 'write'));
  // What the kernel still holds of the partition from before the restore, which wrote past it.
  await callTool(`forgetting old pages of ${node}`, blockdev, ['--flushbufs', node]);
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'rekindle-root-'));
  stack.defer(() => fs.rmdirSync(root));
  const options = 'rw,nosuid,nodev,noexec';
  const mounted = await callTool(doing, mount, [
    '-t',
    volume.fileSystem ?? 'ext4',
    '-o',
    options,
    node,
    root,
  ]);
  if (mounted.status !== 0) throw refuse(doing, mounted.stderr.trim());
  stack.defer(() => unmount(root));
  const found = parseMountInfo(fs.readFileSync('/proc/self/mountinfo', 'utf8')).findLast(
    ({ mountPoint }) => mountPoint === root,
  );
  if (found === undefined || found.readOnly) throw refuse(doing, 'it could only be mounted read-only');
  if (!isSystemdRoot(root)) return undefined;
  const held = stack.move();
  return { root, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

function isSystemdRoot(root: string): boolean {
  const there = (name: string) => fs.existsSync(path.join(root, name));
  const hasName = there('etc/os-release') || there('usr/lib/os-release');
  return hasName && (there('usr/lib/systemd/systemd') || there('lib/systemd/systemd'));
}

function partitionOf({ number, startByte, sizeBytes, partitionType, name }: Volume) {
  return { number, startByte, sizeBytes, partitionType, name };
}

function refuse(doing: string, why: string): RekindleError {
  return new RekindleError('verification-failed', doing, {
    cause: new Error(why),
    next: 'Check the file system in the image (rekindle image mount).',
  });
}

async function unmount(root: string): Promise<void> {
  const { status, stderr } = await callTool(`unmounting ${root}`, umount, [root]);
  if (status === 0) return;
  throw new RekindleError('unexpected', `unmounting the restored system at ${root}`, {
    cause: new Error(stderr.trim()),
    next: 'Restart the machine; then start the restore again, which keeps what is right.',
  });
}

export function reasonOf(error: unknown): string {
  return errorChain(error).join(': ');
}
