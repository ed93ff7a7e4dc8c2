import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { distinctChunkIds, parseDiskIndex } from '../format/disk-index.ts';
import { formatImageRef, type ImageName } from '../format/image-name.ts';
import { isAnnounced } from './announcement.ts';
import { writeFileDurably } from './durable-write.ts';
import { imageFolder, manifestFile, signatureFile } from './image-folder.ts';
import { openStore } from './open-store.ts';
import { publishFolder } from './publish-folder.ts';

export interface ImageFiles {
  readonly manifestBytes: Uint8Array;
  /** Text of `manifest.json.minisig`. */
  readonly signature: string;
  readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/**
 * Makes an image appear, complete or not at all: a hidden folder beside its place, everything flushed, one
 * rename. Its chunks have to be in the store before, and the announcement of who put them still there: `gc` keeps
 * what it names until it finds the image itself.
 * @param announcement that the chunks were written under
 * @throws RekindleError `usage` (the name is taken), `store-unreachable`, `verification-failed` (chunks are gone)
 */
export async function publishImage(
  store: string,
  name: ImageName,
  image: ImageFiles,
  announcement: string,
): Promise<void> {
  const folder = imageFolder(store, name);
  const what = `Publishing image ${formatImageRef(name)} in ${store}`;
  if (await isThere(folder))
    throw new RekindleError('usage', `${what}: there is one of that name`, {
      next: 'Start a capture with a new time.',
    });
  const files = [
    ...image.files,
    { name: signatureFile, bytes: Buffer.from(image.signature) },
    { name: manifestFile, bytes: image.manifestBytes },
  ];
  try {
    await publishFolder(folder, async (hidden) => {
      for (const { name: file, bytes } of files) {
        if (path.basename(file) !== file || file.startsWith('.'))
          throw new Error(`"${file}" is no name for a file of an image`);
        await writeFileDurably(path.join(hidden, file), bytes);
      }
    });
  } catch (cause) {
    throw new RekindleError('store-unreachable', what, {
      cause,
      next: 'Check space and rights of the store; the chunks stay and are reused.',
    });
  }
  if (!(await isAnnounced(store, announcement))) await assertChunksThere(store, image, folder, what);
}

/**
 * A capture that was silent for longer than `gc` waits may have lost chunks before it could be published. Looked at
 * afterwards: a `gc` that starts now finds the image.
 */
async function assertChunksThere(
  store: string,
  { files }: ImageFiles,
  folder: string,
  what: string,
): Promise<void> {
  for (const { name, bytes } of files) {
    if (!name.endsWith('.caibx')) continue;
    const index = parseDiskIndex(bytes, name);
    const missing = await openStore({ kind: 'directory', path: store }, index.digest).missing([
      ...distinctChunkIds(index),
    ]);
    if (missing.length === 0) continue;
    await rm(folder, { recursive: true, force: true });
    throw new RekindleError('verification-failed', what, {
      cause: new Error(
        `${missing.length} chunks were removed meanwhile: the capture was silent for too long`,
      ),
      next: 'Capture the station again; chunks that are in the store are not stored twice.',
      details: { missing: missing.slice(0, 20) },
    });
  }
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
