import { hash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { type ChunkId, chunkPath } from '#images/format/chunk-id.ts';
import { formatDiskIndex, newDiskIndex } from '#images/format/disk-index.ts';
import { formatUtc } from '#images/format/image-name.ts';
import type { SecretKey } from '#images/format/minisign.ts';
import { chunksFolder } from '#images/stores/directory-store.ts';
import { benchStation, publishBenchImage } from './bench-image.ts';

export interface ManyImages {
  readonly images: number;
  readonly chunks: number;
  /** Of them, in no image, and old. */
  readonly unneeded: number;
}

/**
 * A store of many images: names are real, chunk files are empty, for neither listing nor clearing away reads them.
 * No two images share a chunk.
 */
export async function makeManyImages(store: string, signingKey: SecretKey, many: ManyImages): Promise<void> {
  const { images, chunks, unneeded } = many;
  const each = (chunks - unneeded) / images;
  const longAgo = new Date('2026-01-01T00:00:00Z');
  let next = 0;
  const newId = (): ChunkId => hash('sha256', `chunk ${next++}`) as ChunkId;
  const folders = new Set<string>();
  const makeChunk = (id: ChunkId): string => {
    const file = path.join(store, chunksFolder, chunkPath(id));
    const folder = path.dirname(file);
    if (!folders.has(folder)) fs.mkdirSync(folder, { recursive: true });
    folders.add(folder);
    fs.closeSync(fs.openSync(file, 'w'));
    return file;
  };
  for (let image = 0; image < images; image++) {
    const ends = Float64Array.from({ length: each }, (_, number) => (number + 1) * 2 ** 20);
    const index = newDiskIndex(ends, 2 ** 20);
    for (let number = 0; number < each; number++) {
      const id = newId();
      index.ids.set(Buffer.from(id, 'hex'), number * 32);
      makeChunk(id);
    }
    const disk = {
      ...{ sizeBytes: each * 2 ** 20, logicalSectorBytes: 512, volumes: [] },
      partitionTable: { kind: 'none', primary: '', backup: '' } as const,
    };
    const utc = formatUtc(new Date(longAgo.getTime() + image * 3600_000));
    const name = { station: benchStation, utc };
    await publishBenchImage(store, name, { diskIndex: formatDiskIndex(index), disk }, signingKey);
  }
  for (let chunk = 0; chunk < unneeded; chunk++) fs.utimesSync(makeChunk(newId()), longAgo, longAgo);
}
