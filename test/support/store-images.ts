import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type ChunkId, chunkIdOf } from '#images/format/chunk-id.ts';
import {
  distinctChunkIds,
  formatDiskIndex,
  newDiskIndex,
  parseDiskIndex,
} from '#images/format/disk-index.ts';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { type ImageName, parseUtc } from '#images/format/image-name.ts';
import { type SecretKey, signBytes } from '#images/format/minisign.ts';
import { announceCapture } from '#images/stores/announcement.ts';
import { packChunk } from '#images/stores/chunk-file.ts';
import { imageFolder, listImages } from '#images/stores/image-files.ts';
import { openStore, openStoreForWriting } from '#images/stores/open-store.ts';
import { publishImage } from '#images/stores/publish-image.ts';
import { smallImageOf } from './small-image.ts';
import { somePassport } from './some-passport.ts';

/** Small images in a directory store, written as a capture writes them. */

export interface ImageToWrite {
  readonly station: string;
  /** 20261120T020000Z */
  readonly utc: string;
  readonly blocks: readonly Uint8Array[];
  /** What the index says they have, when that is not true. */
  readonly sizes?: readonly number[];
  readonly sequence?: number;
  /** Waited for before every chunk, and before the publication with `null`. */
  readonly before?: (chunk: number | null) => Promise<void> | void;
}

export async function writeImage(store: string, key: SecretKey, image: ImageToWrite): Promise<ImageName> {
  await using announcement = await announceCapture(store);
  const into = openStoreForWriting(announcement.store);
  const station = stationNameSchema.parse(image.station);
  const name = { station, utc: image.utc };
  try {
    for (const [number, block] of image.blocks.entries()) {
      await image.before?.(number);
      const id = chunkIdOf(block);
      const [missing] = await into.need([id]);
      if (missing !== undefined) await into.put(id, packChunk(block));
    }
  } finally {
    await into.close();
  }
  await image.before?.(null);
  let end = 0;
  const index = newDiskIndex(
    Float64Array.from(image.blocks, (block, number) => {
      end += image.sizes?.[number] ?? block.length;
      return end;
    }),
    1 << 20,
  );
  image.blocks.forEach((block, number) => {
    index.ids.set(createHash('sha256').update(block).digest(), number * 32);
  });
  const capturedAt = parseUtc(image.utc)?.toISOString() ?? '';
  const promise = { sequence: image.sequence ?? 1, previousManifestSha256: null, capturedAt };
  const files = smallImageOf(station, somePassport(), Buffer.from(formatDiskIndex(index)), end, promise);
  const signature = signBytes(files.manifestBytes, key, `rekindle image ${station}@${image.utc}`);
  await publishImage(store, name, { ...files, signature }, announcement.id);
  return name;
}

/** Chunks of published images that cannot be read; empty when every image is whole. */
export async function brokenChunks(store: string): Promise<ChunkId[]> {
  const broken: ChunkId[] = [];
  const source = openStore({ kind: 'directory', path: store });
  for (const name of await listImages(store)) {
    const file = path.join(imageFolder(store, name), `${name.station}_disk0.caibx`);
    for (const id of distinctChunkIds(parseDiskIndex(readFileSync(file), file))) {
      await source.get(id).catch(() => broken.push(id));
    }
  }
  return broken;
}
