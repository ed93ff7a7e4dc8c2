import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { callTool, runTool } from '#base/run-tool.ts';
import { openDisk, writeFully } from '../block-device/disk-handle.ts';
import type { ImageManifest } from '../format/image-manifest.ts';
import { formatCompositeTable } from './composite-table.ts';
import { whileFrozen } from './freeze.ts';
import {
  beginOnline,
  compositePrefix,
  losetup,
  mountTool,
  onlineFolder,
  removeLeftRoom,
  writeRecord,
} from './leftovers.ts';
import { type CowSize, planSnapshot, type SnapshotPlan } from './plan-snapshot.ts';
import { readOnlineFacts } from './read-online-facts.ts';
import {
  assertSnapshotWhole,
  dmsetup,
  prepareSnapshot,
  snapshotDevice,
  switchToSnapshot,
} from './snapshot-volume.ts';
import { runTimedCommand } from './timed-command.ts';

/** A disk in use, as it was at one moment: a device that stands still until it is disposed of. */
export interface OnlineSource extends AsyncDisposable {
  /** What to capture in place of the disk. */
  readonly path: string;
  /** When the disk was as it is there. */
  readonly takenAt: Date;
  readonly consistency: ImageManifest['consistency'];
  /**
   * To be asked after everything was read, and when reading failed.
   * @throws RekindleError `target-unfit`: there were more changes meanwhile than a snapshot could hold
   */
  assertWhole(cause?: unknown): Promise<void>;
}

export interface OnlineOptions {
  readonly disk: string;
  /** Room for what changes while the capture reads. */
  readonly cowSize: CowSize;
  /** Shell commands, in order; applications flush and wait. */
  readonly preFreeze: readonly string[];
  /** Run whenever the first of `preFreeze` has been started, whatever happened since. */
  readonly postThaw: readonly string[];
  readonly commandSeconds?: number;
  readonly freezeSeconds?: number;
}

type Plan = Extract<SnapshotPlan, { kind: 'snapshot' }>;

/** @throws RekindleError `target-unfit` with what stands in the way, `usage` (a tool is missing) */
export async function openOnlineSource(options: OnlineOptions): Promise<OnlineSource> {
  const { disk, cowSize } = options;
  if (fs.statSync(disk, { throwIfNoEntry: false })?.isBlockDevice() !== true) {
    throw new RekindleError(
      'target-unfit',
      `capturing ${disk} while it is in use: it is no disk of this machine`,
      {
        next: 'Capture a disk file without --online.',
      },
    );
  }
  await using stack = new AsyncDisposableStack();
  stack.use(await beginOnline());
  const found = await readOnlineFacts(disk);
  const facts = (await removeLeftRoom(found)) ? await readOnlineFacts(disk) : found;
  const plan = planSnapshot(facts, cowSize);
  if (plan.kind === 'refused') {
    throw new RekindleError('target-unfit', `capturing ${disk} while it is in use: ${plan.sentence}`, {
      next: plan.next,
    });
  }
  const name = path.basename(fs.realpathSync(disk));
  await runTool(`flushing ${disk}`, { command: 'blockdev', debianPackage: 'util-linux' }, [
    '--flushbufs',
    disk,
  ]);
  const saved = saveRanges(disk, name, plan);
  stack.defer(() => fs.rmSync(saved, { force: true }));
  await makeReadOnly(plan, stack);
  const takenAt = await makeSnapshots(options, plan, stack);
  const composite = await makeComposite(disk, name, saved, plan, stack);
  const held = stack.move();
  return {
    path: composite,
    takenAt,
    consistency:
      options.preFreeze.length > 0 && options.postThaw.length > 0
        ? 'snapshot-with-application-writers'
        : 'crash',
    async assertWhole(cause) {
      for (const snapshot of plan.snapshots) await assertSnapshotWhole(disk, snapshot, cause);
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** LVM's own description as it was before the snapshots are in it: a sparse file as long as the disk. */
function saveRanges(disk: string, name: string, plan: Plan): string {
  const file = path.join(onlineFolder, `${name}.saved`);
  const source = openDisk(disk);
  const fd = fs.openSync(file, 'w', 0o600);
  try {
    fs.ftruncateSync(fd, source.sizeBytes);
    for (const { startByte, sizeBytes, from } of plan.regions) {
      if (from.kind === 'saved') writeFully(fd, source.read(startByte, sizeBytes), startByte);
    }
    return file;
  } finally {
    fs.closeSync(fd);
    source.close();
  }
}

/** What has no snapshot stands still because nothing may write to it; what is open for writing says no. */
async function makeReadOnly({ makeReadOnly: mountPoints }: Plan, stack: AsyncDisposableStack): Promise<void> {
  writeRecord({ makeReadOnly: mountPoints });
  for (const mountPoint of mountPoints) {
    const doing = `making ${mountPoint} read-only for the time of the capture`;
    const { status, stderr } = await callTool(doing, mountTool, ['-o', 'remount,ro', mountPoint]);
    if (status !== 0) {
      throw new RekindleError('target-unfit', doing, {
        cause: new Error(stderr.trim()),
        next: 'End the program that writes there, unmount it, or capture the station from the network.',
      });
    }
    stack.defer(async () => {
      await runTool(`making ${mountPoint} writable again`, mountTool, ['-o', 'remount,rw', mountPoint]);
    });
  }
}

/** @returns the moment that they show */
async function makeSnapshots(options: OnlineOptions, plan: Plan, stack: AsyncDisposableStack): Promise<Date> {
  const { preFreeze, postThaw, commandSeconds = 120, freezeSeconds = 30 } = options;
  for (const snapshot of plan.snapshots) await prepareSnapshot(snapshot, stack);
  let told = false;
  let takenAt = new Date();
  const tellApplications = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const command of told ? postThaw : [])
      await runTimedCommand('post-thaw', command, commandSeconds).catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    for (const command of preFreeze) {
      told = true;
      await runTimedCommand('pre-freeze', command, commandSeconds);
    }
    await whileFrozen(plan.freeze, freezeSeconds, async () => {
      takenAt = new Date();
      for (const snapshot of plan.snapshots) await switchToSnapshot(snapshot, snapshot.frozen);
    });
  } catch (error) {
    // The first failure is the one to tell; applications go on in any case.
    await tellApplications().catch(() => {});
    throw error;
  }
  told ||= postThaw.length > 0;
  await tellApplications();
  return takenAt;
}

async function makeComposite(
  disk: string,
  name: string,
  saved: string,
  plan: Plan,
  stack: AsyncDisposableStack,
): Promise<string> {
  // A loop device does not claim its disk, which mounted partitions have claimed already.
  const under = await attach(disk, ['--direct-io=on'], stack);
  writeRecord({ loop: under });
  const table = formatCompositeTable(plan.regions, {
    disk: under,
    saved: await attach(saved, [], stack),
    snapshot(each) {
      const planned = plan.snapshots.find(({ name: its }) => its === each);
      if (planned === undefined) throw new RangeError(`no snapshot is called ${each}`);
      return snapshotDevice(planned);
    },
  });
  const device = `${compositePrefix}${name}`;
  await runTool(`putting ${disk} and its snapshots together`, dmsetup, ['create', '--readonly', device], {
    input: Buffer.from(`${table}\n`),
  });
  stack.defer(async () => {
    await runTool(`taking ${device} apart`, dmsetup, ['remove', '--retry', device]);
  });
  // The kernel's own name of it: what sysfs calls it too.
  const fields = ['info', '--columns', '--noheadings', '-o', 'blkdevname', device];
  return `/dev/${(await runTool(`looking at ${device}`, dmsetup, fields)).trim()}`;
}

async function attach(
  file: string,
  options: readonly string[],
  stack: AsyncDisposableStack,
): Promise<string> {
  const doing = `giving ${file} a loop device`;
  const loop = (await runTool(doing, losetup, ['--find', '--show', '--read-only', ...options, file])).trim();
  stack.defer(async () => {
    await runTool(`detaching ${loop}`, losetup, ['--detach', loop]);
  });
  return loop;
}
