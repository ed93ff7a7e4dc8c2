import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { type DiskIndex, parseDiskIndex } from '../format/disk-index.ts';
import type { ImageDisk } from '../format/image-manifest.ts';
import { formatImageRef, type ImageName } from '../format/image-name.ts';
import type { PublicKey } from '../format/minisign.ts';
import { announceReading } from '../stores/announce-reading.ts';
import { readListedFile, readManifest } from '../stores/image-folder.ts';
import { parseStore } from '../stores/open-store.ts';
import { startChunkReaders } from './chunk-readers.ts';
import { type ImageDeviceOptions, openImageDevice } from './image-device.ts';
import { type NbdServer, serveNbd } from './nbd-server.ts';

/** One disk of an image, its manifest's signature checked and its index as the manifest lists it. */
export interface FoundDisk {
  readonly store: string;
  readonly image: ImageName;
  readonly disk: ImageDisk;
  readonly index: DiskIndex;
}

/** @throws RekindleError `not-found` (no such disk), `verification-failed` */
export async function findImageDisk(
  store: string,
  image: ImageName,
  key: PublicKey,
  number: number,
): Promise<FoundDisk> {
  const { manifest } = await readManifest(store, image, key);
  const disk = manifest.disks.find((each) => each.number === number);
  if (disk === undefined)
    throw new RekindleError('not-found', `Image ${formatImageRef(image)} has no disk ${number}`, {
      next: `It has ${manifest.disks.map((each) => `disk ${each.number} (${each.model})`).join(', ')}.`,
    });
  const index = parseDiskIndex(await readListedFile(store, image, manifest, disk.diskIndex), disk.diskIndex);
  return { store, image, disk, index };
}

export interface ServeOptions extends ImageDeviceOptions {
  /** Where the socket is made; a folder of its own that goes away again, when absent. */
  readonly socket?: string;
  readonly onProtocolError?: (sentence: string) => void;
}

/**
 * The disk on a unix socket, until it is disposed of. A folder is told that the image is read, so that no prune takes
 * it away meanwhile; one that cannot be written is read without.
 * @throws RekindleError `not-found`: the image was removed since it was found
 */
export async function serveImageDisk(
  { store, image, index }: Pick<FoundDisk, 'store' | 'image' | 'index'>,
  options: ServeOptions = {},
): Promise<NbdServer> {
  await using stack = new AsyncDisposableStack();
  const ref = parseStore(store);
  if (ref.kind === 'directory') {
    const reading = await announceReading(ref.path, image, 'a mount or an export', [index]);
    if (reading.kind === 'announced') stack.use(reading.announcement);
  }
  const readers = stack.use(startChunkReaders({ store: ref, digest: index.digest }));
  const device = openImageDevice(index, (id) => readers.read(id), options);
  const socket = options.socket ?? path.join(stack.use(temporaryFolder()).path, 'nbd');
  const { onProtocolError } = options;
  const server = stack.use(
    await serveNbd(device, socket, onProtocolError === undefined ? {} : { onProtocolError }),
  );
  const resources = stack.move();
  return {
    socket: server.socket,
    uri: server.uri,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** A folder that only this user may look into. */
export function temporaryFolder(): { readonly path: string } & Disposable {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rekindle-'));
  return { path: folder, [Symbol.dispose]: () => fs.rmSync(folder, { recursive: true, force: true }) };
}
