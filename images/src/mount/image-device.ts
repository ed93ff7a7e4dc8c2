import { RekindleError } from '#base/errors.ts';
import { type ChunkId, zeroChunkId } from '../format/chunk-id.ts';
import { chunkAt, chunkCount, chunkNumberAt, type DiskIndex, diskBytes } from '../format/disk-index.ts';
import { createChunkCache } from './chunk-cache.ts';
import type { ExportDevice, Extent, Piece } from './export-device.ts';

export interface ImageDeviceOptions {
  readonly cacheBytes?: number;
  /** A chunk could not be read; once for each chunk, however often it is asked for. */
  readonly onUnreadable?: (error: unknown) => void;
  /** Bytes of data that a client got. */
  readonly onRead?: (bytes: number) => void;
}

/** Room for two of casync's largest chunks would be 256 MiB; 64 of ours are plenty. */
const defaultCacheBytes = 64 << 20;

/** A disk of an image as it was: bytes from verified chunks, zeros from the index alone. */
export function openImageDevice(
  index: DiskIndex,
  read: (id: ChunkId) => Promise<Uint8Array>,
  { cacheBytes = defaultCacheBytes, onUnreadable = () => {}, onRead = () => {} }: ImageDeviceOptions = {},
): ExportDevice {
  const cached = createChunkCache(cacheBytes, read);
  const told = new Set<ChunkId>();

  async function bytesOf(id: ChunkId, sizeBytes: number): Promise<Uint8Array> {
    try {
      const bytes = await cached(id, sizeBytes);
      if (bytes.length === sizeBytes) return bytes;
      throw new RekindleError(
        'verification-failed',
        `Reading chunk ${id}: it has ${bytes.length} bytes, the disk index says ${sizeBytes}`,
        { next: 'Take another copy of the image, or another image of the station.' },
      );
    } catch (error) {
      if (!told.has(id)) onUnreadable(error);
      told.add(id);
      throw error;
    }
  }

  /** The parts of chunks that make up a range. */
  function* partsOf(offset: number, length: number) {
    const end = offset + length;
    for (let number = chunkNumberAt(index, offset); number < chunkCount(index); number++) {
      const chunk = chunkAt(index, number);
      if (chunk.startByte >= end) return;
      const from = Math.max(offset, chunk.startByte) - chunk.startByte;
      const to = Math.min(end, chunk.startByte + chunk.sizeBytes) - chunk.startByte;
      yield { chunk, from, to, isZero: chunk.id === zeroChunkId(chunk.sizeBytes, index.digest) };
    }
  }

  return {
    sizeBytes: diskBytes(index),
    read: (offset, length) =>
      Promise.all(
        [...partsOf(offset, length)].map(async ({ chunk, from, to, isZero }): Promise<Piece> => {
          if (isZero) return { kind: 'zeros', sizeBytes: to - from };
          const bytes = await bytesOf(chunk.id, chunk.sizeBytes);
          onRead(to - from);
          return { kind: 'data', bytes: bytes.subarray(from, to) };
        }),
      ),
    extents(offset, length) {
      const extents: Extent[] = [];
      for (const { from, to, isZero } of partsOf(offset, length)) {
        const kind = isZero ? 'zeros' : 'data';
        const last = extents.at(-1);
        if (last?.kind === kind) extents.splice(-1, 1, { kind, sizeBytes: last.sizeBytes + to - from });
        else extents.push({ kind, sizeBytes: to - from });
      }
      return extents;
    },
  };
}
