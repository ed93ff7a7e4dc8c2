import fs from 'node:fs';
import path from 'node:path';
import { chunkPath } from '#images/format/chunk-id.ts';
import { chunkAt, chunkNumberAt } from '#images/format/disk-index.ts';
import { type FoundDisk, findImageDisk } from '#images/mount/serve-image-disk.ts';
import { captureImageOf, captureKey, somePassportDisk } from './capture-image-of.ts';
import { makeTemporaryFolder, run } from './restore-demo-disk.ts';

/** A disk file captured into a store of its own, and its image as readers find it. */
export interface StoredDisk extends Disposable {
  readonly folder: string;
  readonly store: string;
  /** The disk's bytes as the image has them (unused blocks are zeros), put back by casync. */
  readonly expected: string;
  readonly found: FoundDisk;
  inFolder(name: string): string;
  /** A copy of the store in which the chunk that holds this byte of the disk is damaged. */
  damagedAt(byte: number): { readonly found: FoundDisk; readonly chunk: string };
}

export async function storeDisk(
  make: (folder: string) => string | Promise<string>,
  sectorBytes = 512,
): Promise<StoredDisk> {
  const folder = makeTemporaryFolder();
  const inFolder = (name: string): string => path.join(folder.path, name);
  const disk = await make(folder.path);
  const store = inFolder('store');
  fs.mkdirSync(store);
  const passportDisk = somePassportDisk(fs.statSync(disk).size, { logicalSectorBytes: sectorBytes });
  const { name } = await captureImageOf(store, [{ path: disk, passportDisk }]);
  const found = await findImageDisk(store, name, captureKey, 0);
  const expected = inFolder('expected.img');
  const indexFile = path.join(
    store,
    'images',
    name.station,
    `${name.station}_${name.utc}`,
    found.disk.diskIndex,
  );
  const chunks = path.join(store, 'chunks.castr');
  run('casync', 'extract', `--store=${chunks}`, indexFile, expected);
  return {
    folder: folder.path,
    store,
    expected,
    found,
    inFolder,
    damagedAt(byte) {
      const copy = fs.mkdtempSync(inFolder('damaged-'));
      fs.cpSync(store, copy, { recursive: true });
      const { id } = chunkAt(found.index, chunkNumberAt(found.index, byte));
      damageFile(path.join(copy, 'chunks.castr', chunkPath(id)));
      return { found: { ...found, store: copy }, chunk: id };
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

/** Changes one byte in the middle of a file. */
function damageFile(file: string): void {
  const bytes = fs.readFileSync(file);
  const at = bytes.length >>> 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
  fs.writeFileSync(file, bytes);
}
