import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChunkId } from '#images/format/chunk-id.ts';
import { distinctChunkIds, parseDiskIndex } from '#images/format/disk-index.ts';
import { parseImageName } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { imageFolder, readManifest } from '#images/stores/image-folder.ts';

/** Which chunks an image is made of: what a restore's token may read. */
export interface ChunksOfImages {
  has(imageName: string, id: ChunkId): boolean;
}

/** Images whose chunk ids are held at once; a disk of 1 TiB has a million of them. */
const keptImages = 4;

export function createChunksOfImages(store: string, publicKey: PublicKey): ChunksOfImages {
  const kept = new Map<string, ReadonlySet<ChunkId>>();

  const read = (imageName: string): ReadonlySet<ChunkId> => {
    const name = parseImageName(imageName);
    if (name === null) return new Set();
    const { manifest } = readManifest(store, name, publicKey);
    const folder = imageFolder(store, name);
    return new Set(
      manifest.disks.flatMap(({ diskIndex }) => [
        ...distinctChunkIds(parseDiskIndex(readFileSync(join(folder, diskIndex)), diskIndex)),
      ]),
    );
  };

  return {
    has(imageName, id) {
      const ids = kept.get(imageName) ?? read(imageName);
      // The one used last goes to the end; the first is the one that was not used for longest.
      kept.delete(imageName);
      kept.set(imageName, ids);
      const [oldest] = kept.keys();
      if (kept.size > keptImages && oldest !== undefined) kept.delete(oldest);
      return ids.has(id);
    },
  };
}
