import fs from 'node:fs';
import path from 'node:path';
import type { ImageName } from '#images/format/image-name.ts';
import { formatPublicKey, generateKeyPair, type PublicKey } from '#images/format/minisign.ts';
import { noise } from '#test/support/restore-demo-disk.ts';
import { writeImage } from '#test/support/store-images.ts';

/** A store with three images of few small chunks, some of them shared, for campaigns about whole images. */
export interface SmallStore {
  readonly path: string;
  readonly key: PublicKey;
  readonly publicKeyFile: string;
  /** Oldest first. */
  readonly names: readonly ImageName[];
}

const imageChunks = [
  [1, 2, 3],
  [3, 4, 5, 6],
  [6, 7, 8],
] as const;

export async function makeSmallStore(folder: string): Promise<SmallStore> {
  const store = path.join(folder, 'full-store');
  fs.mkdirSync(store, { recursive: true });
  const key = generateKeyPair();
  const publicKeyFile = path.join(folder, 'site.pub');
  fs.writeFileSync(publicKeyFile, formatPublicKey(key));
  const names: ImageName[] = [];
  for (const [day, chunks] of imageChunks.entries()) {
    const utc = `2026112${day}T020000Z`;
    const blocks = chunks.map((n) => noise(`block ${n}`, 3000));
    names.push(await writeImage(store, key, { station: 'A', utc, blocks, sequence: day + 1 }));
  }
  return { path: store, key, publicKeyFile, names };
}

/** An empty place becomes a copy of the store. */
export function fillFrom({ path: from }: SmallStore, store: string): void {
  fs.rmSync(store, { recursive: true, force: true });
  fs.cpSync(from, store, { recursive: true });
}
