import { zeroChunkId } from '../format/chunk-id.ts';
import { chunkAt, chunkCount } from '../format/disk-index.ts';
import type { CapturedDisk } from './capture-disk.ts';
import { chunkFate } from './capture-state.ts';

/** How much of an image the store did not hold before: small when an older image of the station is there. */
export interface ImageChange {
  /** Bytes of the disks that are not zero. */
  readonly contentBytes: number;
  /** Of them, those in chunks that are new in the store; a chunk that comes again counts once. */
  readonly newBytes: number;
  /** newBytes of contentBytes, 0 to 1. */
  readonly share: number;
  /** What the new chunks take in the store, compressed. */
  readonly storedBytes: number;
  readonly chunks: number;
  readonly newChunks: number;
}

type Captured = Pick<CapturedDisk, 'index' | 'fates' | 'stats'>;

/** Pure. */
export function summariseChange(disks: readonly Captured[]): ImageChange {
  let contentBytes = 0;
  let newBytes = 0;
  for (const { index, fates } of disks) {
    for (let number = 0; number < chunkCount(index); number++) {
      const { id, sizeBytes } = chunkAt(index, number);
      if (id === zeroChunkId(sizeBytes)) continue;
      contentBytes += sizeBytes;
      if (fates[number] === chunkFate.isNew) newBytes += sizeBytes;
    }
  }
  const sum = (pick: (stats: Captured['stats']) => number): number =>
    disks.reduce((total, { stats }) => total + pick(stats), 0);
  return {
    contentBytes,
    newBytes,
    share: contentBytes === 0 ? 0 : newBytes / contentBytes,
    storedBytes: sum(({ storedBytes }) => storedBytes),
    chunks: sum(({ chunks }) => chunks),
    newChunks: sum(({ newChunks }) => newChunks),
  };
}
