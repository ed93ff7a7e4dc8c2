import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { type ChunkId, isChunkId } from '#images/format/chunk-id.ts';
import { distinctChunkIds, parseDiskIndex } from '#images/format/disk-index.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { listImages, readListedFile, readManifest } from '#images/stores/image-folder.ts';
import { openStore } from '#images/stores/open-store.ts';

/** What a store is worth after a fault, judged by reading all of it. */
export interface StoreVerdict {
  /** STATION@UTC of every image that the store lists and that is whole. */
  readonly whole: readonly string[];
  /** Listed images that are not, with the refusal. */
  readonly broken: readonly string[];
  /** Chunk files under their own name whose content is another one. */
  readonly badChunks: readonly string[];
  readonly chunks: number;
  /** Temporary files and folders that a killed writer left. */
  readonly leftOver: number;
}

export async function judgeStore(store: string, key: PublicKey): Promise<StoreVerdict> {
  const whole: string[] = [];
  const broken: string[] = [];
  const good = new Set<ChunkId>();
  const badChunks: string[] = [];
  const source = openStore({ kind: 'directory', path: store });
  const files = fs.existsSync(path.join(store, 'chunks.castr'))
    ? fs.readdirSync(path.join(store, 'chunks.castr'), { recursive: true, encoding: 'utf8' })
    : [];
  for (const file of files) {
    const id = path.basename(file, '.cacnk');
    if (!isChunkId(id) || !file.endsWith('.cacnk')) continue;
    await source.get(id).then(
      () => good.add(id),
      (error: unknown) => badChunks.push(String(error)),
    );
  }
  for (const name of await listImages(store)) {
    try {
      const { manifest } = await readManifest(store, name, key);
      for (const { diskIndex } of manifest.disks) {
        const index = parseDiskIndex(await readListedFile(store, name, manifest, diskIndex), diskIndex);
        for (const id of distinctChunkIds(index))
          if (!good.has(id)) throw new Error(`chunk ${id} is missing`);
      }
      for (const { name: file } of manifest.files) await readListedFile(store, name, manifest, file);
      whole.push(formatImageRef(name));
    } catch (error) {
      broken.push(
        `${formatImageRef(name)}: ${error instanceof RekindleError ? error.message : String(error)}`,
      );
    }
  }
  await source.close();
  const all = fs.readdirSync(store, { recursive: true, encoding: 'utf8' });
  const leftOver = all.filter(
    (file) => file.endsWith('.tmp') || path.basename(file).startsWith('.publishing-'),
  );
  return { whole, broken, badChunks, chunks: good.size, leftOver: leftOver.length };
}
