import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool, runTool } from '#base/run-tool.ts';
import type { OnlineFacts } from './online-facts.ts';
import { snapshotPrefix } from './plan-snapshot.ts';
import { dmsetup, removeRoom, removeSnapshots } from './snapshot-volume.ts';

/**
 * What an online capture makes has names of its own, so that the next one finds what a killed one left. Only what
 * has no name, partitions that were made read-only, is written down; after a restart of the machine only
 * the room of the snapshots is left, plain logical volumes.
 */
export const onlineFolder = '/run/rekindle/online';
export const compositePrefix = 'rekindle-online-';
export const losetup = { command: 'losetup', debianPackage: 'util-linux' };
export const mountTool = { command: 'mount', debianPackage: 'mount' };

interface Record {
  readonly pid: number;
  /** Start of the process, clock ticks: another process may have its number by now. */
  readonly startedAt: string;
  readonly makeReadOnly: readonly string[];
  /** Loop device on the disk itself. */
  readonly loop?: string;
}

const recordFile = path.join(onlineFolder, 'capture.json');

/** @throws RekindleError `target-unfit`: another online capture is running */
export async function beginOnline(): Promise<AsyncDisposable> {
  fs.mkdirSync(onlineFolder, { recursive: true, mode: 0o700 });
  const before = readRecord();
  if (before !== undefined && startOf(before.pid) === before.startedAt) {
    throw new RekindleError(
      'target-unfit',
      `capturing this machine while it is in use: process ${before.pid} is doing so`,
      { next: 'Wait for it to end, or end it with Ctrl-C.' },
    );
  }
  await removeLeftovers(before);
  writeRecord({});
  return {
    async [Symbol.asyncDispose]() {
      fs.rmSync(recordFile, { force: true });
    },
  };
}

/** Adds to the record, before what it says is done. */
export function writeRecord(more: Partial<Pick<Record, 'makeReadOnly' | 'loop'>>): void {
  const own = { pid: process.pid, startedAt: startOf(process.pid) ?? '', makeReadOnly: [] };
  const before = readRecord();
  const record: Record = { ...(before?.pid === process.pid ? before : own), ...more };
  fs.writeFileSync(recordFile, JSON.stringify(record));
}

function readRecord(): Record | undefined {
  try {
    return JSON.parse(fs.readFileSync(recordFile, 'utf8')) as Record;
  } catch {
    return undefined;
  }
}

/** proc_pid_stat(5), field 22; the name before it may hold anything. */
function startOf(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

async function removeLeftovers(before: Record | undefined): Promise<void> {
  const doing = 'removing what a killed capture left';
  const devices = await runTool(doing, dmsetup, ['info', '--columns', '--noheadings', '-o', 'name']);
  for (const name of devices.split('\n')) {
    if (name.startsWith(compositePrefix)) await runTool(doing, dmsetup, ['remove', '--retry', name]);
  }
  const loops = await runTool(doing, losetup, ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
  for (const line of loops.split('\n')) {
    const [loop, file] = line.trim().split(/\s+/);
    if (loop !== undefined && (file?.startsWith(onlineFolder) === true || loop === before?.loop))
      await runTool(doing, losetup, ['--detach', loop]);
  }
  await removeSnapshots();
  for (const mountPoint of before?.makeReadOnly ?? [])
    await callTool(doing, mountTool, ['-o', 'remount,rw', mountPoint]);
  for (const file of fs.readdirSync(onlineFolder)) fs.rmSync(path.join(onlineFolder, file), { force: true });
}

/** Logical volumes that a killed capture left, also before a restart of the machine. True when there were any. */
export async function removeLeftRoom({ segments }: OnlineFacts): Promise<boolean> {
  const left = segments.filter(({ volume }) => volume.startsWith(snapshotPrefix));
  for (const { group, volume } of left) await removeRoom(group, volume);
  return left.length > 0;
}
