import { RekindleError } from '#base/errors.ts';
import { type CaptureLimits, createThrottle, createThrottleData } from '../capture/throttle.ts';
import type { ChunkDigest, ChunkId } from '../format/chunk-id.ts';
import { createChunkIdSet, wordsOf } from '../format/chunk-id-set.ts';
import { chunkCount } from '../format/disk-index.ts';
import { formatImageRef, type ImageName } from '../format/image-name.ts';
import type { PublicKey } from '../format/minisign.ts';
import { announceCapture } from '../stores/announcement.ts';
import type { ChunkStore, WritableStoreRef } from '../stores/chunk-store.ts';
import { listImages, readListedFile, readManifest, type SignedManifest } from '../stores/image-folder.ts';
import { openStore, openStoreForWriting, parseStore } from '../stores/open-store.ts';
import { publishImage } from '../stores/publish-image.ts';
import { isStoreFull } from '../stores/store-full.ts';
import { uploadImage } from '../stores/upload-image.ts';
import { type ReadImage, readImage } from './image-chunks.ts';

/**
 * Copies images to a second store: chunks that it lacks, each proven right on the way, then the image's files with their
 * signature unchanged. Nothing is ever removed or replaced at the target, whatever the source holds. What is there is
 * not sent again, so an interrupted copy goes on, and a target that lost chunks gets them back.
 */
export interface CopyOptions {
  /** A path or a URL. */
  readonly from: string;
  readonly to: string;
  readonly publicKey: PublicKey;
  readonly names: readonly ImageName[];
  readonly limits?: CaptureLimits;
  readonly onProgress?: (image: ImageName, doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface CopiedImage {
  readonly name: ImageName;
  /** `repaired`: it was there, and lacked chunks. */
  readonly outcome: 'copied' | 'repaired' | 'was there';
  readonly chunks: number;
  readonly sentChunks: number;
  /** Of chunk files. */
  readonly sentBytes: number;
}

const questionSize = 16_384;
const lanes = 8;

/** @throws RekindleError with the images that are whole by then in `details.copied` */
export async function copyImages(options: CopyOptions): Promise<CopiedImage[]> {
  const { names, to } = options;
  const target = parseStore(to);
  const copied: CopiedImage[] = [];
  await using stack = new AsyncDisposableStack();
  const announcement =
    target.kind === 'directory' ? stack.use(await announceCapture(target.path)) : undefined;
  const into: WritableStoreRef = announcement?.store ?? (target as Extract<typeof target, { kind: 'http' }>);
  for (const name of names) {
    try {
      copied.push(await copyImage(options, name, into, announcement?.id));
    } catch (cause) {
      const code = cause instanceof RekindleError ? cause.code : 'unexpected';
      const next = isStoreFull(cause)
        ? `Free some space in ${to}, then start again: what is there is not sent again.`
        : cause instanceof RekindleError
          ? cause.next
          : undefined;
      throw new RekindleError(
        code,
        `Copying ${formatImageRef(name)} to ${to}: image ${copied.length + 1} of ${names.length}; the ${copied.length} before are whole there`,
        {
          cause,
          ...(next === undefined ? {} : { next }),
          details: { copied: copied.map((each) => formatImageRef(each.name)), failed: formatImageRef(name) },
        },
      );
    }
  }
  return copied;
}

async function copyImage(
  options: CopyOptions,
  name: ImageName,
  into: WritableStoreRef,
  announcement: string | undefined,
): Promise<CopiedImage> {
  const { from, to, publicKey } = options;
  const image = await readImage(from, name, publicKey);
  const signed = await readManifest(from, name, publicKey);
  const isThere = await isSameImageThere(to, name, signed, publicKey);
  let [chunks, sentChunks, sentBytes] = [0, 0, 0];
  for (const [digest, ids] of distinctByDigest(image)) {
    const sent = await sendMissing(options, name, into, digest, ids);
    chunks += ids.length;
    sentChunks += sent.chunks;
    sentBytes += sent.bytes;
  }
  if (!isThere) {
    const files = [];
    for (const { name: file } of image.manifest.files)
      files.push({ name: file, bytes: await readListedFile(from, name, image.manifest, file) });
    const whole = { manifestBytes: signed.manifestBytes, signature: signed.signature, files };
    if (into.kind === 'http') await uploadImage(into, name, whole);
    else await publishImage(into.path, name, whole, announcement ?? '');
  }
  const outcome = isThere ? (sentChunks > 0 ? 'repaired' : 'was there') : 'copied';
  return { name, outcome, chunks, sentChunks, sentBytes };
}

/** @throws RekindleError `usage`: another image of that name is there */
async function isSameImageThere(
  to: string,
  name: ImageName,
  source: SignedManifest,
  publicKey: PublicKey,
): Promise<boolean> {
  const target = parseStore(to);
  if (target.kind === 'directory') {
    const there = (await listImages(to, name.station)).some(({ utc }) => utc === name.utc);
    if (!there) return false;
  }
  let found: SignedManifest;
  try {
    found = await readManifest(to, name, publicKey);
  } catch (error) {
    if (error instanceof RekindleError && error.code === 'not-found') return false;
    throw error;
  }
  if (found.manifestSha256 === source.manifestSha256) return true;
  throw new RekindleError('usage', `${to} holds another image of the name ${formatImageRef(name)}`, {
    next: 'Nothing is replaced. Find out which of the two is the right one, and remove the other by hand.',
  });
}

function distinctByDigest({ indexes }: ReadImage): Map<ChunkDigest, ChunkId[]> {
  const sets = new Map<ChunkDigest, ReturnType<typeof createChunkIdSet>>();
  for (const index of indexes) {
    const set = sets.get(index.digest) ?? createChunkIdSet();
    sets.set(index.digest, set);
    const words = wordsOf(index.ids);
    for (let at = 0; at < chunkCount(index); at++) set.add(words, at);
  }
  return new Map(
    [...sets].map(([digest, set]) => [
      digest,
      Array.from({ length: set.size }, (_, number) => set.hexOf(number) as ChunkId),
    ]),
  );
}

async function sendMissing(
  { from, limits, signal, onProgress }: CopyOptions,
  name: ImageName,
  ref: WritableStoreRef,
  digest: ChunkDigest,
  ids: readonly ChunkId[],
): Promise<{ chunks: number; bytes: number }> {
  const source = openStore(parseStore(from), digest);
  const into = openStoreForWriting(ref, digest);
  const throttle = createThrottle(createThrottleData(limits ?? {}), () => signal?.aborted === true);
  const sent = { chunks: 0, bytes: 0, plainBytes: 0 };
  try {
    const missing = await askMissing(into, ids);
    let next = 0;
    let failed = false;
    const lane = async (): Promise<void> => {
      for (let id = missing[next++]; id !== undefined && !failed; id = missing[next++]) {
        assertGoingOn(signal, missing.length - sent.chunks);
        const startedAt = performance.now();
        const { chunkFile, plainBytes } = await source.getChunkFile(id);
        throttle.spend('sent', chunkFile.length);
        await into.put(id, chunkFile);
        sent.chunks++;
        sent.bytes += chunkFile.length;
        sent.plainBytes += plainBytes;
        // All of a disk is not known in compressed bytes: chunks are what can be counted.
        onProgress?.(name, sent.chunks, missing.length);
        await throttle.rest(performance.now() - startedAt);
      }
    };
    const running = Array.from({ length: lanes }, () =>
      lane().catch((error: unknown) => {
        failed = true;
        throw error;
      }),
    );
    for (const result of await Promise.allSettled(running)) {
      if (result.status === 'rejected') throw notAllSent(result.reason, sent.chunks, missing.length);
    }
    return sent;
  } finally {
    await source.close();
    await into.close();
  }
}

async function askMissing(into: ChunkStore, ids: readonly ChunkId[]): Promise<ChunkId[]> {
  const missing: ChunkId[] = [];
  for (let at = 0; at < ids.length; at += questionSize)
    missing.push(...(await into.need(ids.slice(at, at + questionSize))));
  return missing;
}

/** How far it came goes between what was being done and why it stopped. */
function notAllSent(cause: unknown, sent: number, of: number): unknown {
  if (!(cause instanceof RekindleError)) return cause;
  return new RekindleError(
    cause.code,
    `${of - sent} of ${of} chunks that the target lacks are still missing`,
    {
      cause,
      ...(cause.next === undefined ? {} : { next: cause.next }),
      details: { ...cause.details, missingChunks: of - sent },
    },
  );
}

function assertGoingOn(signal: AbortSignal | undefined, left: number): void {
  if (signal?.aborted !== true) return;
  throw new RekindleError('interrupted', `Copying was interrupted with ${left} chunks to go`, {
    next: 'Start it again: what is there is not sent again.',
  });
}
