import os from 'node:os';
import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import { runWorkers } from '#base/worker-threads.ts';
import { openDisk } from '../block-device/disk-handle.ts';
import { chunkBytes, planChunkGrid } from '../format/chunk-grid.ts';
import { type DiskIndex, newDiskIndex } from '../format/disk-index.ts';
import type { ImageDisk } from '../format/image-manifest.ts';
import { type PartitionTable, parsePartitionTable } from '../format/partition-table/partition-table.ts';
import type { WritableStoreRef } from '../stores/chunk-store.ts';
import { type CaptureWorkerData, createCaptureState, readCount } from './capture-state.ts';
import { claimSource } from './claim-source.ts';
import { findVolumes, readVolumes } from './read-volumes.ts';
import { type CaptureLimits, createThrottleData, workedSeconds } from './throttle.ts';
import { flattenUnused } from './unused-ranges.ts';

/**
 * Captures one disk into a store: used blocks only where a file system's bitmap is known, all blocks
 * elsewhere, gaps between partitions included. Only chunks are written; an interrupted capture leaves no
 * image, and its chunks are found again by the next one.
 */
export interface CaptureProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Read from the disk: less than done where blocks are unused. */
  readonly readBytes: number;
  /** Compressed bytes that are new in the store. */
  readonly storedBytes: number;
}

export interface CaptureDiskOptions {
  /** Block device, or the file that stands for a disk. */
  readonly path: string;
  readonly store: WritableStoreRef;
  /** Partition names or labels of data volumes. */
  readonly dataVolumes?: readonly string[];
  /** `findHibernation` of another disk of the station said so: page files keep their contents. */
  readonly hibernatedElsewhere?: boolean;
  /** Sector size of a disk kept in a file; a device says its own. */
  readonly sectorBytes?: number;
  readonly workers?: number;
  readonly limits?: CaptureLimits;
  readonly onProgress?: (progress: CaptureProgress) => void;
  readonly signal?: AbortSignal;
}

export interface CapturedDisk
  extends Pick<ImageDisk, 'sizeBytes' | 'logicalSectorBytes' | 'partitionTable' | 'volumes'> {
  readonly index: DiskIndex;
  /** A byte a chunk, by `chunkFate`. */
  readonly fates: Uint8Array;
  /** What is odd about the disk, a sentence each: a damaged copy of the GPT, for example. */
  readonly warnings: readonly string[];
  readonly stats: {
    readonly chunks: number;
    readonly zeroChunks: number;
    readonly newChunks: number;
    readonly readBytes: number;
    readonly storedBytes: number;
    readonly seconds: number;
    /** That the workers worked, all of them together: without the rests that limits demand. */
    readonly workedSeconds: number;
  };
}

const progressEveryMs = 250;

/** @throws RekindleError `not-found`, `target-unfit` (in use, unreadable), `store-unreachable`, `interrupted` */
export async function captureDisk(options: CaptureDiskOptions): Promise<CapturedDisk> {
  const startedAt = performance.now();
  const disk = openDisk(options.path, {
    direct: true,
    ...(options.sectorBytes === undefined ? {} : { sectorBytes: options.sectorBytes }),
  });
  const state = createCaptureState();
  const stop = (): void => void Atomics.store(state.stop, 0, 1);
  const report = (): void =>
    options.onProgress?.({
      totalBytes: disk.sizeBytes,
      doneBytes: readCount(state, 'doneBytes'),
      readBytes: readCount(state, 'readBytes'),
      storedBytes: readCount(state, 'storedBytes'),
    });
  const assertNotInterrupted = (): void => {
    if (options.signal?.aborted !== true) return;
    throw new RekindleError(
      'interrupted',
      `Capturing ${disk.path}: interrupted after ${formatBytes(readCount(state, 'doneBytes'))}`,
      {
        next: 'Start the capture again: what is stored is reused.',
      },
    );
  };
  options.signal?.addEventListener('abort', stop);
  const timer = setInterval(report, progressEveryMs);
  try {
    using source = claimSource(disk.path);
    const table = parsePartitionTable(disk);
    const found = await readVolumes(disk, table.partitions, {
      dataVolumes: options.dataVolumes ?? [],
      hibernatedElsewhere: options.hibernatedElsewhere === true,
    });
    const index = newDiskIndex(planChunkGrid(disk.sizeBytes, table.partitions), chunkBytes);
    const data: CaptureWorkerData = {
      disk: disk.path,
      fd: disk.fd,
      direct: disk.direct && disk.sizeBytes % disk.sectorBytes === 0,
      sizeBytes: disk.sizeBytes,
      index,
      unused: flattenUnused(found.flatMap(({ unused }) => unused)),
      store: options.store,
      ...lanesFor(options),
      throttle: createThrottleData(options.limits ?? {}),
      fates: new Uint8Array(new SharedArrayBuffer(index.ends.length)),
      state,
    };
    assertNotInterrupted();
    await runWorkers('capture-worker', options.workers ?? Math.min(8, os.availableParallelism()), data, stop);
    assertNotInterrupted();
    source.assertUnchanged();
    report();
    return {
      sizeBytes: disk.sizeBytes,
      logicalSectorBytes: disk.sectorBytes,
      partitionTable: describeTable(table),
      volumes: found.map(({ volume }) => volume),
      index,
      fates: data.fates,
      warnings: [...table.problems, ...found.flatMap(({ warnings }) => warnings)],
      stats: {
        chunks: index.ends.length,
        zeroChunks: readCount(state, 'zeroChunks'),
        newChunks: readCount(state, 'newChunks'),
        readBytes: readCount(state, 'readBytes'),
        storedBytes: readCount(state, 'storedBytes'),
        seconds: (performance.now() - startedAt) / 1000,
        workedSeconds: workedSeconds(data.throttle),
      },
    };
  } finally {
    clearInterval(timer);
    options.signal?.removeEventListener('abort', stop);
    disk.close();
  }
}

/**
 * While one lane waits for the store (a flush, an answer), another reads and packs. A store at the end of a wire is
 * asked for several chunks at once.
 */
function lanesFor({ store, limits }: CaptureDiskOptions): Pick<CaptureWorkerData, 'lanes' | 'chunksAtOnce'> {
  // A worker's share of the time is measured on one lane.
  const lanes = (limits?.loadPercent ?? 100) === 100 ? 2 : 1;
  return { lanes, chunksAtOnce: store.kind === 'directory' ? 1 : 8 };
}

/** Whether a volume of the disk holds a hibernated Windows: asked of every disk before any of them is captured. */
export async function findHibernation(path: string, sectorBytes?: number): Promise<boolean> {
  const disk = openDisk(path, sectorBytes === undefined ? {} : { sectorBytes });
  try {
    const volumes = await findVolumes(disk, parsePartitionTable(disk).partitions);
    return volumes.some(({ state }) => state.hibernated);
  } finally {
    disk.close();
  }
}

function describeTable(table: PartitionTable): ImageDisk['partitionTable'] {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return {
    kind: table.kind,
    ...(table.kind === 'gpt' ? { diskGuid: table.diskGuid } : {}),
    primary: base64(table.primary),
    backup: table.kind === 'gpt' ? base64(table.backup) : '',
  };
}
