import os from 'node:os';
import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import { startTeam, type WorkerTeam } from '#base/worker-threads.ts';
import type { DiskResult } from '#contract/run-report.ts';
import { type DiskHandle, openDisk } from '#images/block-device/disk-handle.ts';
import { chunkAt } from '#images/format/disk-index.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { openStore } from '#images/stores/open-store.ts';
import { assertKeptUntouched } from './assert-kept-untouched.ts';
import { clearFirstBlocks, flush, readBackFirstBlocks, writeFirstBlocks } from './first-blocks.ts';
import { forgetCache } from './forget-cache.ts';
import { type HeldBack, type Piece, readHeldBack } from './held-back.ts';
import type { Position } from './restore-errors.ts';
import type { RestorePlan } from './restore-plan.ts';
import {
  addBytes,
  addChunk,
  createRestoreState,
  type RestoreState,
  readBytes,
  readChunks,
  requestStop,
  writtenMark,
} from './restore-state.ts';
import type { RestoreTask, RestoreWorkerData } from './restore-worker.ts';
import { canZero, planZeroRanges, zeroRange } from './zero-ranges.ts';

/**
 * Restores one disk by its plan.
 *
 * 1. First and last blocks are fetched, then cleared on the disk, so that it cannot pass for a complete one.
 * 2. Worker threads bring every other chunk right; what is right already is only read. This is also how an
 *    interrupted restore goes on: there is no journal to trust.
 *    Long ranges that have to become zero are left to the device, where it can (zero-ranges.ts).
 * 3. Flush; everything written is read from the medium again and hashed.
 * 4. Backup GPT, entries, and at last LBA 0 and 1 are written, flushed and read back.
 *
 * Step 4 needs a `DiskVerified`, which only step 3 makes. It waits where something has to happen to the system
 * before it may start (restoreContent).
 */
export interface RestoreProgress {
  readonly phase: 'restoring' | 'verifying' | 'finishing';
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly fetchedBytes: number;
}

export interface RestoreDiskOptions {
  readonly plan: RestorePlan;
  /** Block device, or the file that stands for a disk. */
  readonly path: string;
  readonly source: StoreRef;
  /** Worker threads; what suits the source and the number of cores when not said. */
  readonly workers?: number;
  readonly onProgress?: (progress: RestoreProgress) => void;
  readonly signal?: AbortSignal;
}

/** The parts of a disk result that the restore itself knows. */
export type RestoredDisk = Pick<
  DiskResult,
  'number' | 'sizeBytes' | 'restored' | 'kept' | 'chunks' | 'bytes'
>;

interface Run {
  readonly plan: RestorePlan;
  readonly disk: DiskHandle;
  readonly source: StoreRef;
  readonly team: WorkerTeam<RestoreTask, void>;
  readonly state: RestoreState;
  readonly report: (phase: RestoreProgress['phase'], totalBytes: number) => void;
  readonly signal: AbortSignal | undefined;
}
type DiskWritten = Run & { readonly __brand: 'DiskWritten' };
type DiskVerified = Run & { readonly __brand: 'DiskVerified' };

const progressEveryMs = 250;
/**
 * Reading a disk or a folder stops a thread: with two for each core, one hashes while the other waits. A store behind
 * HTTP answers later than a disk; there each thread has several requests under way instead.
 */
function planThreads(source: StoreRef): { readonly workers: number; readonly lanes: number } {
  const cores = os.availableParallelism();
  return source.kind === 'http'
    ? { workers: Math.min(8, cores), lanes: 4 }
    : { workers: Math.min(8, 2 * cores), lanes: 1 };
}

/** Steps 1 to 3 are done: all that it lacks to start is in memory. Whoever lets go of it leaves it so. */
export interface UnfinishedDisk extends Disposable {
  /** Its first and last blocks, the partition table among them. */
  readonly missing: readonly Piece[];
  /** Step 4. @throws RekindleError `target-unfit`, `verification-failed` */
  finish(): RestoredDisk;
}

/** @throws RekindleError `target-unfit`, `verification-failed`, `store-unreachable`, `not-found`, `interrupted` */
export async function restoreDisk(options: RestoreDiskOptions): Promise<RestoredDisk> {
  using unfinished = await restoreContent(options);
  return unfinished.finish();
}

/** All but step 4, for a disk that something else has to happen to before it may start. */
export async function restoreContent(options: RestoreDiskOptions): Promise<UnfinishedDisk> {
  const { plan } = options;
  const disk = openDisk(options.path, {
    write: true,
    shared: plan.besideMedium === true,
    sectorBytes: plan.target.logicalSectorBytes,
    direct: hasWholeSectors(plan),
  });
  using stack = new DisposableStack();
  stack.defer(() => disk.close());
  assertSameTarget(plan, disk);
  assertKeptUntouched(plan);
  // Once before anything is written: a disk that cannot be verified is not begun.
  forgetCache(disk);
  const state = createRestoreState(plan.chunks.length);
  await using team = startWorkers(options, disk, state);
  const run: Run = {
    plan,
    disk,
    source: options.source,
    team,
    state,
    signal: options.signal,
    report: (phase, totalBytes) =>
      options.onProgress?.({
        phase,
        totalBytes,
        doneBytes: readBytes(state, 'done'),
        fetchedBytes: readBytes(state, 'fetched'),
      }),
  };
  const held = await fetchHeldBack(run);
  assertNotInterrupted(run);
  clearFirstBlocks(plan, disk, held, position(run));
  const verified = await verifyChunks(await writeChunks(run));
  const open = stack.move();
  return {
    missing: [...held.heads, ...held.tail],
    finish: () => finish(verified, held),
    [Symbol.dispose]: () => open.dispose(),
  };
}

/** Before the first blocks are fetched: they start while that goes on. */
function startWorkers(
  { plan, source, workers }: RestoreDiskOptions,
  disk: DiskHandle,
  state: RestoreState,
): WorkerTeam<RestoreTask, void> {
  const threads = planThreads(source);
  const data: RestoreWorkerData = {
    device: disk.path,
    fd: disk.fd,
    direct: disk.direct,
    sizeBytes: disk.sizeBytes,
    sectorBytes: disk.sectorBytes,
    index: plan.index,
    chunks: plan.chunks,
    source,
    lanes: threads.lanes,
    zeroLater: canZero(disk),
    state,
  };
  return startTeam('restore-worker', workers ?? threads.workers, data, () => requestStop(state));
}

async function fetchHeldBack(run: Run): Promise<HeldBack> {
  const store = openStore(run.source, run.plan.index.digest);
  try {
    return await readHeldBack(run.plan, run.disk, store);
  } finally {
    await store.close();
  }
}

async function writeChunks(run: Run): Promise<DiskWritten> {
  const { totalBytes } = run.plan;
  await runPass(run, 'restoring', { kind: 'write', totalBytes });
  if ((await zeroByDevice(run)) > 0) {
    Atomics.store(run.state.next, 0, 0);
    await runPass(run, 'restoring', { kind: 'zero', totalBytes });
  }
  flush(run.disk.fd, position(run), { startByte: 0, sizeBytes: run.plan.target.sizeBytes });
  forgetCache(run.disk);
  return run as DiskWritten;
}

/** @returns how many marked chunks are left for the workers to write */
async function zeroByDevice(run: Run): Promise<number> {
  const { plan, disk, state } = run;
  const isMarked = (slot: number): boolean => state.written[slot] === writtenMark.zeroLater;
  let left = state.written.reduce((sum, mark) => sum + (mark === writtenMark.zeroLater ? 1 : 0), 0);
  if (left === 0) return 0;
  for (const range of planZeroRanges(plan, isMarked)) {
    if (!(await zeroRange(disk.path, range, () => assertNotInterrupted(run)))) return left;
    for (const slot of range.slots) {
      state.written[slot] = writtenMark.written;
      addChunk(state, 'written');
      addBytes(state, 'written', chunkAt(plan.index, plan.chunks[slot] as number).sizeBytes);
    }
    left -= range.slots.length;
  }
  return left;
}

async function verifyChunks(run: DiskWritten): Promise<DiskVerified> {
  Atomics.store(run.state.next, 0, 0);
  Atomics.store(run.state.bytes, 0, 0n);
  const writtenBytes = readBytes(run.state, 'written');
  if (writtenBytes > 0) await runPass(run, 'verifying', { kind: 'read-back', totalBytes: writtenBytes });
  return run as Run as DiskVerified;
}

function finish(run: DiskVerified, held: HeldBack): RestoredDisk {
  const { plan, state, disk } = run;
  run.report('finishing', plan.totalBytes);
  writeFirstBlocks(plan, disk, held, position(run));
  const readBack = readBackFirstBlocks(disk, held, position(run));
  const range = ({ what, startByte, sizeBytes }: RestorePlan['kept'][number]) => ({
    what,
    startByte,
    sizeBytes,
  });
  return {
    number: plan.diskNumber,
    sizeBytes: plan.target.sizeBytes,
    restored: plan.restored.map(range),
    kept: plan.kept.map(range),
    chunks: {
      written: readChunks(state, 'written') + held.counts.written,
      alreadyRight: readChunks(state, 'alreadyRight') + held.counts.alreadyRight,
      verified: readChunks(state, 'verified') + held.counts.written + held.counts.alreadyRight,
    },
    bytes: {
      fetched: readBytes(state, 'fetched') + held.counts.fetchedBytes,
      written: readBytes(state, 'written') + readBack,
      verified: readBytes(state, 'verified') + readBack,
    },
  };
}

async function runPass(run: Run, phase: RestoreProgress['phase'], task: RestoreTask): Promise<void> {
  const stop = (): void => requestStop(run.state);
  run.signal?.addEventListener('abort', stop);
  const timer = setInterval(() => run.report(phase, task.totalBytes), progressEveryMs);
  try {
    assertNotInterrupted(run);
    run.report(phase, task.totalBytes);
    await run.team.run(task);
    assertNotInterrupted(run);
    run.report(phase, task.totalBytes);
  } finally {
    clearInterval(timer);
    run.signal?.removeEventListener('abort', stop);
  }
}

function position(run: Run): Position {
  return {
    device: run.disk.path,
    sectorBytes: run.disk.sectorBytes,
    doneBytes: readBytes(run.state, 'done'),
    totalBytes: run.plan.totalBytes,
  };
}

/** O_DIRECT moves whole sectors; a foreign index may cut chunks anywhere. */
function hasWholeSectors(plan: RestorePlan): boolean {
  return plan.chunks.every((number) => {
    const { startByte, sizeBytes } = chunkAt(plan.index, number);
    return (
      startByte % plan.target.logicalSectorBytes === 0 && sizeBytes % plan.target.logicalSectorBytes === 0
    );
  });
}

function assertSameTarget(plan: RestorePlan, disk: DiskHandle): void {
  if (disk.sizeBytes === plan.target.sizeBytes && disk.sectorBytes === plan.target.logicalSectorBytes) return;
  throw new RekindleError(
    'target-unfit',
    `Restoring to ${disk.path}: the plan was made for a disk of ${plan.target.sizeBytes} bytes in sectors of ` +
      `${plan.target.logicalSectorBytes}, this one has ${disk.sizeBytes} in sectors of ${disk.sectorBytes}`,
    { next: 'Nothing was written. Start again, so that a plan for this disk is made.' },
  );
}

function assertNotInterrupted(run: Run): void {
  if (run.signal?.aborted !== true) return;
  throw new RekindleError(
    'interrupted',
    `Restoring to ${run.disk.path}: interrupted after ${formatBytes(readBytes(run.state, 'done'))}`,
    {
      next: 'Start the restore again: what is already right on the disk is kept.',
    },
  );
}
