import { RekindleError } from '#base/errors.ts';
import { dropCaches } from '../block-device/disk-handle.ts';
import type { ChunkId } from '../format/chunk-id.ts';
import { chunkAt, chunkCount, type IndexChunk } from '../format/disk-index.ts';
import { checkChunks } from '../stores/check-chunks.ts';
import { openStore } from '../stores/open-store.ts';
import type { CapturedDisk } from './capture-disk.ts';
import { chunkFate } from './capture-state.ts';
import { type CaptureLimits, createThrottle, createThrottleData } from './throttle.ts';

/** What was found of an image's chunks in the store, after its capture. */
export interface StoredChunks {
  /** New chunks, each read again, decompressed and hashed. */
  readonly readAgain: number;
  /** Chunks that were in the store before: there, and not read. `rekindle image verify` reads all. */
  readonly foundPresent: number;
  /** Whether the page cache was dropped before, so that the bytes came from the medium. */
  readonly fromMedium: boolean;
}

export interface VerifyOptions {
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
  /** Of what is read again. */
  readonly limits?: CaptureLimits;
}

/** Ids in one question about presence. */
const questionSize = 16_384;

type Captured = Pick<CapturedDisk, 'index' | 'fates'>;

/** @throws RekindleError `verification-failed`, `interrupted` */
export async function verifyStoredChunks(
  store: string,
  disks: readonly Captured[],
  { onProgress, signal, limits = {} }: VerifyOptions = {},
): Promise<StoredChunks> {
  let totalBytes = 0;
  let readAgain = 0;
  for (const { sizeBytes } of chunksOf(disks, chunkFate.isNew)) {
    totalBytes += sizeBytes;
    readAgain += 1;
  }
  const fromMedium = dropCaches();
  let doneBytes = 0;
  const newIds = (function* (): Generator<ChunkId> {
    for (const { id, sizeBytes } of chunksOf(disks, chunkFate.isNew)) {
      assertNotInterrupted(signal);
      yield id;
      doneBytes += sizeBytes;
    }
  })();
  const throttle = createThrottle(createThrottleData(limits), () => signal?.aborted === true);
  let lastAt = performance.now();
  const problems = await checkChunks(store, newIds, async (fileBytes) => {
    onProgress?.(doneBytes, totalBytes);
    throttle.spend('read', fileBytes);
    await throttle.rest(performance.now() - lastAt);
    lastAt = performance.now();
  });
  const { found, missing } = await findPresent(store, disks, signal);
  problems.push(...missing.map((id) => `chunk ${id}, stored by an older capture, is not there any more`));
  if (problems.length === 0) return { readAgain, foundPresent: found, fromMedium };
  throw new RekindleError(
    'verification-failed',
    `Verifying the captured image in ${store}: ${problems.length} chunks are not as they were stored`,
    {
      cause: new Error(problems.slice(0, 20).join('; ')),
      next: 'Check the disk or share that holds the store (space, cable, memory), then capture again.',
    },
  );
}

async function findPresent(store: string, disks: readonly Captured[], signal: AbortSignal | undefined) {
  const chunks = openStore({ kind: 'directory', path: store });
  const missing: ChunkId[] = [];
  let found = 0;
  let question = new Set<ChunkId>();
  const ask = async (): Promise<void> => {
    assertNotInterrupted(signal);
    const absent = await chunks.missing([...question]);
    missing.push(...absent);
    found += question.size - absent.length;
    question = new Set();
  };
  for (const { id } of chunksOf(disks, chunkFate.wasStored)) {
    question.add(id);
    if (question.size === questionSize) await ask();
  }
  await ask();
  await chunks.close();
  return { found, missing };
}

function* chunksOf(disks: readonly Captured[], fate: number): Generator<IndexChunk> {
  for (const { index, fates } of disks) {
    for (let number = 0; number < chunkCount(index); number++) {
      if (fates[number] === fate) yield chunkAt(index, number);
    }
  }
}

function assertNotInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new RekindleError('interrupted', 'Verifying the captured image: interrupted', {
    next: 'Start the capture again: what is stored is reused.',
  });
}
