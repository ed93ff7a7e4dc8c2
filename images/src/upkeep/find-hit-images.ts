import { createChunkIdSet, wordsOf } from '../format/chunk-id-set.ts';
import { chunkCount } from '../format/disk-index.ts';
import type { ImageName } from '../format/image-name.ts';
import type { PublicKey } from '../format/minisign.ts';
import { listImages } from '../stores/image-files.ts';
import { isDamaged, tryReadImage } from './image-chunks.ts';
import type { BadChunk } from './verify-state.ts';

/** Every image of the store that needs one of these chunks, also those that nobody asked about. */
export async function findHitImages(
  store: string,
  publicKey: PublicKey,
  bad: readonly BadChunk[],
): Promise<ImageName[]> {
  if (bad.length === 0) return [];
  const wanted = createChunkIdSet();
  for (const { id } of bad) wanted.addHex(id);
  const hit: ImageName[] = [];
  for (const name of await listImages(store)) {
    const image = await tryReadImage(store, name, publicKey);
    if (isDamaged(image)) continue;
    const needs = image.indexes.some((index) => {
      const words = wordsOf(index.ids);
      for (let at = 0; at < chunkCount(index); at++) if (wanted.find(words, at) !== -1) return true;
      return false;
    });
    if (needs) hit.push(name);
  }
  return hit;
}
