import type { ChunkId } from '../format/chunk-id.ts';

/**
 * The chunks used last, at most so many bytes of them and always the newest. A chunk that is being read
 * already is not read twice; one that cannot be read is forgotten, so that the next reader tries again.
 */
export function createChunkCache(
  limitBytes: number,
  read: (id: ChunkId) => Promise<Uint8Array>,
): (id: ChunkId, sizeBytes: number) => Promise<Uint8Array> {
  const kept = new Map<ChunkId, { readonly bytes: Promise<Uint8Array>; readonly sizeBytes: number }>();
  let total = 0;
  const forget = (id: ChunkId): void => {
    total -= kept.get(id)?.sizeBytes ?? 0;
    kept.delete(id);
  };
  return (id, sizeBytes) => {
    const found = kept.get(id);
    if (found !== undefined) {
      kept.delete(id);
      kept.set(id, found);
      return found.bytes;
    }
    const bytes = read(id);
    kept.set(id, { bytes, sizeBytes });
    total += sizeBytes;
    bytes.catch(() => {
      if (kept.get(id)?.bytes === bytes) forget(id);
    });
    for (const oldest of kept.keys()) {
      if (total <= limitBytes || oldest === id) break;
      forget(oldest);
    }
    return bytes;
  };
}
