import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool, type Tool } from '#base/run-tool.ts';
import { parseMountInfo } from '#images/block-device/mounts-of-disk.ts';
import { type NtfsCondition, readNtfsCondition } from '#images/capture/ntfs/ntfs-state.ts';
import type { Partition } from '#images/format/partition-table/partition-table.ts';
import { parseVolumeBootSector } from './ntfs-boot-sector.ts';
import { attachPartition, type DiskPath, partitionReader } from './partition-device.ts';

const ntfs3g: Tool = { command: 'ntfs-3g', debianPackage: 'ntfs-3g' };
const ntfsrecover: Tool = { command: 'ntfsrecover', debianPackage: 'ntfs-3g' };
const umount: Tool = { command: 'umount', debianPackage: 'mount' };

export interface MountedVolume extends AsyncDisposable {
  readonly root: string;
  /** What was done before it could be mounted, a sentence each. */
  readonly remarks: readonly string[];
}

/**
 * Mounts an NTFS volume by ntfs-3g, which itself mounts dirty volumes for writing, falls back to read-only in
 * silence, and throws the log away (`recover`, its default). So the state is read by us first, the log is replayed
 * by ntfsrecover, and what was really mounted is looked up afterwards.
 * @throws RekindleError `verification-failed`: it must not be written to; the cause says why
 */
export async function mountWindowsVolume(
  disk: DiskPath,
  partition: Partition,
  access: 'read' | 'write',
): Promise<MountedVolume> {
  const doing = `mounting partition ${partition.number} of ${disk.path}`;
  await using stack = new AsyncDisposableStack();
  const device = stack.use(await attachPartition(disk, partition, access));
  assertNtfs(doing, device.node);
  const remarks = access === 'write' ? await makeWritable(doing, device.node, partition.sizeBytes) : [];

  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'rekindle-windows-'));
  stack.defer(() => fs.rmdirSync(root));
  const options = `${access === 'write' ? 'rw' : 'ro'},norecover,nosuid,nodev,noexec`;
  const { status, stdout, stderr } = await callTool(doing, ntfs3g, ['-o', options, device.node, root]);
  if (status !== 0) throw refuse(doing, `${stdout.toString()}\n${stderr}`.trim().replaceAll(/\s+/g, ' '));
  stack.defer(() => unmount(root));
  const mounted = parseMountInfo(fs.readFileSync('/proc/self/mountinfo', 'utf8')).findLast(
    ({ mountPoint }) => mountPoint === root,
  );
  if (mounted === undefined) throw refuse(doing, 'ntfs-3g says it is mounted, the kernel does not');
  if (access === 'write' && mounted.readOnly) throw refuse(doing, 'ntfs-3g fell back to read-only');
  const held = stack.move();
  return { root, remarks, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

function assertNtfs(doing: string, node: string): void {
  using reader = partitionReader(node);
  const { kind } = parseVolumeBootSector(reader.read(0, 512));
  if (kind === 'bitlocker') throw refuse(doing, 'it is encrypted with BitLocker');
  if (kind === 'other') throw refuse(doing, 'it has no NTFS boot sector');
}

async function makeWritable(doing: string, node: string, sizeBytes: number): Promise<string[]> {
  const condition = conditionOf(doing, node, sizeBytes);
  if (condition === 'clean') return [];
  if (condition !== 'log-to-replay') throw refuse(doing, whyNotWritten[condition]);
  const { status, stdout, stderr } = await callTool(`replaying the log of ${node}`, ntfsrecover, [node]);
  // Its status is not enough: what counts is what the volume says of itself afterwards.
  const after = conditionOf(doing, node, sizeBytes);
  if (status === 0 && after === 'clean') return ['The log of the NTFS volume was replayed (ntfsrecover).'];
  const said = `${stdout.toString()} ${stderr}`.trim().replaceAll(/\s+/g, ' ').slice(-300);
  throw refuse(doing, `its log could not be replayed: ntfsrecover ended with ${status}: ${said}`);
}

const whyNotWritten: Readonly<Record<Exclude<NtfsCondition, 'clean' | 'log-to-replay'>, string>> = {
  hibernated: 'Windows is hibernated in it: what is written now would be overwritten when it wakes up',
  dirty: 'it is marked dirty: Windows has to check it before anybody else writes there',
};

function conditionOf(doing: string, node: string, sizeBytes: number): NtfsCondition {
  using reader = partitionReader(node);
  try {
    return readNtfsCondition(reader.read, sizeBytes);
  } catch (cause) {
    throw refuse(doing, `its NTFS is not understood: ${cause instanceof Error ? cause.message : cause}`);
  }
}

function refuse(doing: string, why: string): RekindleError {
  return new RekindleError('verification-failed', doing, {
    cause: new Error(why),
    next: 'Start the station and let Windows put the volume in order (chkdsk), or restore an image that was taken while Windows was shut down.',
  });
}

/** Comes back when everything is on the disk: the kernel waits for ntfs-3g, and the disk is flushed after it. */
async function unmount(root: string): Promise<void> {
  const { status, stderr } = await callTool(`unmounting ${root}`, umount, [root]);
  if (status === 0) return;
  throw new RekindleError('unexpected', `unmounting the restored Windows volume at ${root}`, {
    cause: new Error(stderr.trim()),
    next: 'Restart the machine; then start the restore again, which keeps what is right.',
  });
}
