import { errorChain, RekindleError } from '#base/errors.ts';
import { type ChunkIdSet, wordsOf } from '../format/chunk-id-set.ts';
import { chunkCount, type DiskIndex, diskBytes, parseDiskIndex } from '../format/disk-index.ts';
import type { ImageManifest } from '../format/image-manifest.ts';
import { formatImageRef, type ImageName } from '../format/image-name.ts';
import type { PublicKey } from '../format/minisign.ts';
import { readListedFile, readManifest } from '../stores/image-folder.ts';

/** An image whose signature, files and indexes are right; its chunks are still to be looked at. */
export interface ReadImage {
  readonly name: ImageName;
  readonly manifest: ImageManifest;
  readonly manifestSha256: string;
  readonly indexes: readonly DiskIndex[];
}

export interface DamagedImage {
  readonly name: ImageName;
  readonly reason: string;
}

/** Reads all of an image but its chunks. @throws RekindleError `verification-failed`, `not-found` */
export async function readImage(store: string, name: ImageName, publicKey: PublicKey): Promise<ReadImage> {
  const { manifest, manifestSha256 } = await readManifest(store, name, publicKey);
  const indexes: DiskIndex[] = [];
  for (const { name: file } of manifest.files) {
    const bytes = await readListedFile(store, name, manifest, file);
    const disk = manifest.disks.find(({ diskIndex }) => diskIndex === file);
    if (disk === undefined) continue;
    const index = parseDiskIndex(bytes, file);
    if (diskBytes(index) !== disk.sizeBytes) {
      throw new RekindleError(
        'verification-failed',
        `Reading ${file} of image ${formatImageRef(name)}: it covers ${diskBytes(index)} bytes of a disk of ${disk.sizeBytes}`,
        { next: 'Take another image of the station.' },
      );
    }
    indexes.push(index);
  }
  const missing = manifest.disks.filter(({ diskIndex }) => !manifest.files.some((f) => f.name === diskIndex));
  if (missing.length > 0) {
    throw new RekindleError(
      'verification-failed',
      `Reading image ${formatImageRef(name)}: its manifest lists no ${missing[0]?.diskIndex}`,
      { next: 'Take another image of the station.' },
    );
  }
  return { name, manifest, manifestSha256, indexes };
}

/** The image, or why it cannot be read; a store that does not answer is no damaged image. @throws `store-unreachable` */
export async function tryReadImage(
  store: string,
  name: ImageName,
  publicKey: PublicKey,
): Promise<ReadImage | DamagedImage> {
  try {
    return await readImage(store, name, publicKey);
  } catch (error) {
    if (!(error instanceof RekindleError) || error.code === 'store-unreachable') throw error;
    return { name, reason: errorChain(error).join(': ') };
  }
}

export const isDamaged = (image: ReadImage | DamagedImage): image is DamagedImage => 'reason' in image;

export function addChunksOf({ indexes }: ReadImage, to: Pick<ChunkIdSet, 'add'>): void {
  for (const index of indexes) {
    const words = wordsOf(index.ids);
    for (let number = 0; number < chunkCount(index); number++) to.add(words, number);
  }
}
