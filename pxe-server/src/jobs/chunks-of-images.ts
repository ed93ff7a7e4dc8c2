import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ChunkIdSet, createChunkIdSet, wordsOf } from '#images/format/chunk-id-set.ts';
import { chunkCount, parseDiskIndex } from '#images/format/disk-index.ts';
import { parseImageName } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { readListedFile, readManifest } from '#images/stores/image-folder.ts';

/** Which chunks an image is made of: what a restore's token may read. */
export interface ChunksOfImages {
  /** @throws RekindleError when the image, or an index of it, is damaged */
  of(imageName: string): Promise<Pick<ChunkIdSet, 'findHex'>>;
}

/** Images whose chunk ids are held at once; a disk of 1 TiB has a million of them. */
const keptImages = 4;
/** Ids in one turn of the event loop: about two milliseconds, so that DHCP is answered in between. */
const idsInOneTurn = 32_768;

export function createChunksOfImages(store: string, publicKey: PublicKey): ChunksOfImages {
  /** Promises, so that requests which come at once read an image once. */
  const kept = new Map<string, Promise<ChunkIdSet>>();

  const read = async (imageName: string): Promise<ChunkIdSet> => {
    const ids = createChunkIdSet();
    const name = parseImageName(imageName);
    if (name === null) return ids;
    const { manifest } = await readManifest(store, name, publicKey);
    for (const { diskIndex } of manifest.disks) {
      const index = parseDiskIndex(await readListedFile(store, name, manifest, diskIndex), diskIndex);
      const words = wordsOf(index.ids);
      for (let number = 0; number < chunkCount(index); number++) {
        ids.add(words, number);
        if (number % idsInOneTurn === idsInOneTurn - 1) await nextTurn();
      }
    }
    return ids;
  };

  return {
    of(imageName) {
      const ids = kept.get(imageName) ?? read(imageName);
      // The one used last goes to the end; the first is the one that was not used for longest.
      kept.delete(imageName);
      kept.set(imageName, ids);
      // An image that could not be read is read again by the next question.
      ids.catch(() => kept.get(imageName) === ids && kept.delete(imageName));
      const [oldest] = kept.keys();
      if (kept.size > keptImages && oldest !== undefined) kept.delete(oldest);
      return ids;
    },
  };
}
