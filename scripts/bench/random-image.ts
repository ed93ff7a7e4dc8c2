import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { chunkIdOf, chunkPath } from '#images/format/chunk-id.ts';
import { formatDiskIndex, newDiskIndex } from '#images/format/disk-index.ts';
import { packChunk } from '#images/stores/chunk-file.ts';
import type { DescribedDisk } from './bench-image.ts';
import type { BenchImage } from './bench-lab.ts';

export interface RandomImage extends BenchImage {
  /** Paths of its chunks below the store. */
  readonly chunks: readonly string[];
}

const chunkBytes = 1 << 20;

/** An image of a disk that cannot be compressed, for scenarios about the way to the station and nothing else. */
export function makeRandomImage(folder: string, chunkCount: number): RandomImage {
  const store = path.join(folder, 'store');
  const index = newDiskIndex(
    Float64Array.from({ length: chunkCount }, (_, number) => (number + 1) * chunkBytes),
    chunkBytes,
  );
  const chunks = Array.from({ length: chunkCount }, (_, number) => {
    const bytes = randomBytes(chunkBytes);
    const id = chunkIdOf(bytes);
    index.ids.set(Buffer.from(id, 'hex'), number * 32);
    const file = path.join('chunks.castr', chunkPath(id));
    fs.mkdirSync(path.join(store, path.dirname(file)), { recursive: true });
    fs.writeFileSync(path.join(store, file), packChunk(bytes));
    return file;
  });
  const disk: DescribedDisk = {
    sizeBytes: chunkCount * chunkBytes,
    logicalSectorBytes: 512,
    partitionTable: { kind: 'none', primary: '', backup: '' },
    volumes: [],
  };
  const indexFile = path.join(folder, 'random.caibx');
  fs.writeFileSync(indexFile, formatDiskIndex(index));
  fs.writeFileSync(`${indexFile}.json`, JSON.stringify(disk));
  return { store, index: indexFile, chunks };
}
