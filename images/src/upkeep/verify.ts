import os from 'node:os';
import { RekindleError } from '#base/errors.ts';
import { runWorkers } from '#base/worker-threads.ts';
import { type CaptureLimits, createThrottleData } from '../capture/throttle.ts';
import type { ChunkDigest } from '../format/chunk-id.ts';
import { type ChunkIdSet, createChunkIdSet, wordsOf } from '../format/chunk-id-set.ts';
import { chunkAt, chunkCount } from '../format/disk-index.ts';
import { formatImageRef, type ImageName } from '../format/image-name.ts';
import type { PublicKey } from '../format/minisign.ts';
import { parseStore } from '../stores/open-store.ts';
import { isDamaged, type ReadImage, tryReadImage } from './image-chunks.ts';
import { writeVerification } from './verification-record.ts';
import { openProgress, type VerifyProgress } from './verify-progress.ts';
import { type BadChunk, chunkVerdict, createVerifyState, type VerifyWorkerData } from './verify-state.ts';

/**
 * Reads images again: signature, files, indexes, and every chunk once however many images share it. Interrupted, it
 * goes on where it was; a damaged chunk is set aside, so that the next capture or copy stores it anew.
 */
export interface VerifyOptions {
  /** A path or a URL. */
  readonly store: string;
  readonly publicKey: PublicKey;
  readonly names: readonly ImageName[];
  readonly workers?: number;
  readonly limits?: CaptureLimits;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface ImageVerdict {
  readonly name: ImageName;
  readonly result: 'whole' | 'damaged';
  readonly chunks: number;
  readonly bytes: number;
  readonly problems: readonly string[];
}

export interface Verification {
  readonly images: readonly ImageVerdict[];
  /** Distinct chunks of all images, and those that an interrupted verification had read before. */
  readonly chunks: number;
  readonly readBefore: number;
  /** Plain bytes of all of them, and of those that were read now. */
  readonly bytes: number;
  readonly readBytes: number;
  readonly bad: readonly BadChunk[];
  /** False when the store cannot be written: no record, and no resuming. */
  readonly recorded: boolean;
  readonly seconds: number;
}

/** Chunks of one digest that are to be read. */
interface Work {
  readonly digest: ChunkDigest;
  readonly ids: ChunkIdSet;
  readonly sizes: number[];
}

const noteEveryMs = 2000;

/** @throws RekindleError `store-unreachable` (also when what was read cannot be noted), `interrupted` */
export async function verifyImages(options: VerifyOptions): Promise<Verification> {
  const startedAt = performance.now();
  const { store, names, publicKey } = options;
  const verdicts = new Map<string, { image: ReadImage | undefined; problems: string[] }>();
  const works = new Map<ChunkDigest, Work>();
  const isFolder = parseStore(store).kind === 'directory';
  const progress = isFolder ? await openProgress(store) : undefined;
  try {
    for (const name of names) {
      const image = await tryReadImage(store, name, publicKey);
      const entry = isDamaged(image)
        ? { image: undefined, problems: [image.reason] }
        : { image, problems: addWork(image, works) };
      verdicts.set(formatImageRef(name), entry);
      assertGoingOn(options.signal, 0);
    }
    const bad: BadChunk[] = [];
    let [chunks, bytes, readBefore, readBytes] = [0, 0, 0, 0];
    for (const work of works.values()) {
      const done = await verifyChunks(work, options, progress);
      bad.push(...done.bad);
      chunks += work.ids.size;
      readBefore += done.readBefore;
      readBytes += done.readBytes;
      bytes += work.sizes.reduce((sum, size) => sum + size, 0);
    }
    const images = [...verdicts].map(([, entry], at) => judge(names[at] as ImageName, entry, bad));
    const recorded = progress !== undefined && (await record(store, images, verdicts));
    if (progress !== undefined && progress.done.size === readBefore) await progress.finish();
    const seconds = (performance.now() - startedAt) / 1000;
    return { images, chunks, readBefore, bytes, readBytes, bad, recorded, seconds };
  } finally {
    await progress?.close();
  }
}

/** @returns what is wrong with the image's indexes themselves */
function addWork(image: ReadImage, works: Map<ChunkDigest, Work>): string[] {
  const problems: string[] = [];
  for (const index of image.indexes) {
    const work = works.get(index.digest) ?? { digest: index.digest, ids: createChunkIdSet(), sizes: [] };
    works.set(index.digest, work);
    const words = wordsOf(index.ids);
    for (let at = 0, start = 0; at < chunkCount(index); at++) {
      const end = index.ends[at] ?? 0;
      const number = work.ids.add(words, at);
      const known = work.sizes[number];
      if (known === undefined) work.sizes[number] = end - start;
      else if (known !== end - start)
        problems.push(`chunk ${chunkAt(index, at).id} is used with ${end - start} bytes and with ${known}`);
      start = end;
    }
  }
  return problems.slice(0, 20);
}

async function verifyChunks(
  { digest, ids, sizes }: Work,
  { store, workers, limits, signal, onProgress }: VerifyOptions,
  progress: VerifyProgress | undefined,
): Promise<{ bad: BadChunk[]; readBefore: number; readBytes: number }> {
  const all = ids.words();
  const numbers: number[] = [];
  for (let number = 0; number < ids.size; number++) {
    if (progress === undefined || progress.done.find(all, number) === -1) numbers.push(number);
  }
  const words = new Uint32Array(new SharedArrayBuffer(numbers.length * 32));
  const shares = new Uint32Array(new SharedArrayBuffer(numbers.length * 4));
  numbers.forEach((number, at) => {
    words.set(all.subarray(number * 8, number * 8 + 8), at * 8);
    shares[at] = sizes[number] ?? 0;
  });
  const ref = parseStore(store);
  const data: VerifyWorkerData = {
    store: ref,
    digest,
    words,
    sizes: shares,
    verdicts: new Uint8Array(new SharedArrayBuffer(numbers.length)),
    lanes: ref.kind === 'http' ? 4 : 1,
    throttle: createThrottleData(limits ?? {}),
    state: createVerifyState(),
  };
  const totalBytes = shares.reduce((sum, size) => sum + size, 0);
  const doneBytes = () => Number(Atomics.load(data.state.doneBytes, 0));
  const noted = new Uint8Array(numbers.length);
  const stop = (): void => void Atomics.store(data.state.stop, 0, 1);
  signal?.addEventListener('abort', stop);
  const failures: unknown[] = [];
  let writing = Promise.resolve();
  const note = (): Promise<void> => {
    writing = writing
      .then(() => noteGood(data, noted, progress))
      .catch((failure: unknown) => {
        failures.push(failure);
        stop();
      });
    return writing;
  };
  const timer = setInterval(() => {
    onProgress?.(doneBytes(), totalBytes);
    void note();
  }, noteEveryMs);
  const bad: BadChunk[] = [];
  try {
    const count = workers ?? Math.min(8, os.availableParallelism());
    bad.push(...(await runWorkers<BadChunk[]>('verify-worker', count, data, stop)).flat());
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', stop);
    await note();
    assertGoingOn(signal, doneBytes());
    onProgress?.(doneBytes(), totalBytes);
  }
  if (failures.length > 0) throw failures[0];
  assertAllRead(data.verdicts);
  return { bad, readBefore: ids.size - numbers.length, readBytes: totalBytes };
}

/** Workers that stopped early, for whatever reason, must not make an image whole. */
function assertAllRead(verdicts: Uint8Array): void {
  const unread = verdicts.reduce((sum, verdict) => sum + (verdict === chunkVerdict.unread ? 1 : 0), 0);
  if (unread === 0) return;
  throw new RekindleError(
    'unexpected',
    `Verifying images: stopped with ${unread} of ${verdicts.length} chunks unread`,
    { next: 'Start it again: what was read is not read again for a week.' },
  );
}

/** Notes the good chunks that are not noted yet. */
async function noteGood(
  { words, verdicts }: VerifyWorkerData,
  noted: Uint8Array,
  progress: VerifyProgress | undefined,
): Promise<void> {
  if (progress === undefined) return;
  const fresh: number[] = [];
  for (let at = 0; at < noted.length; at++) {
    if (noted[at] === 0 && Atomics.load(verdicts, at) === chunkVerdict.good) fresh.push(at);
  }
  const lines = new Uint32Array(fresh.length * 8);
  fresh.forEach((at, line) => {
    lines.set(words.subarray(at * 8, at * 8 + 8), line * 8);
    noted[at] = 1;
  });
  if (fresh.length > 0) await progress.add(lines);
}

function judge(
  name: ImageName,
  { image, problems }: { image: ReadImage | undefined; problems: readonly string[] },
  bad: readonly BadChunk[],
): ImageVerdict {
  const own = createChunkIdSet();
  let bytes = 0;
  for (const index of image?.indexes ?? []) {
    const words = wordsOf(index.ids);
    for (let at = 0, start = 0; at < chunkCount(index); at++) {
      const before = own.size;
      own.add(words, at);
      if (own.size > before) bytes += (index.ends[at] ?? 0) - start;
      start = index.ends[at] ?? 0;
    }
  }
  const hit = bad.filter(({ id }) => own.findHex(id) !== -1).map(({ reason }) => reason);
  const all = [...problems, ...hit];
  return { name, result: all.length === 0 ? 'whole' : 'damaged', chunks: own.size, bytes, problems: all };
}

async function record(
  store: string,
  images: readonly ImageVerdict[],
  verdicts: ReadonlyMap<string, { image: ReadImage | undefined }>,
): Promise<boolean> {
  const verifiedAt = new Date().toISOString();
  try {
    for (const { name, result, chunks, bytes, problems } of images) {
      const manifestSha256 = verdicts.get(formatImageRef(name))?.image?.manifestSha256 ?? null;
      await writeVerification(store, name, {
        formatVersion: 1,
        manifestSha256,
        verifiedAt,
        result,
        chunks,
        bytes,
        problems: problems.slice(0, 20),
      });
    }
    return true;
  } catch {
    return false;
  }
}

function assertGoingOn(signal: AbortSignal | undefined, doneBytes: number): void {
  if (signal?.aborted !== true) return;
  throw new RekindleError('interrupted', `Verifying images: interrupted after ${doneBytes} bytes`, {
    next: 'Start it again: what was read is not read again for a week.',
  });
}
