import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { formatImageRef, type ImageName } from '../format/image-name.ts';
import { makeFolderDurably, syncFolder, writeFileDurably } from './durable-write.ts';
import { imageFolder, manifestFile, signatureFile } from './image-folder.ts';

export interface ImageFiles {
  readonly manifestBytes: Uint8Array;
  /** Text of `manifest.json.minisig`. */
  readonly signature: string;
  readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/**
 * Makes an image appear, complete or not at all: a hidden folder beside its place, everything flushed, one
 * rename. Its chunks have to be in the store before.
 * @throws RekindleError `usage` (the name is taken), `store-unreachable`
 */
export function publishImage(store: string, name: ImageName, image: ImageFiles): void {
  const folder = imageFolder(store, name);
  const parent = path.dirname(folder);
  const what = `Publishing image ${formatImageRef(name)} in ${store}`;
  if (fs.existsSync(folder))
    throw new RekindleError('usage', `${what}: there is one of that name`, {
      next: 'Start a capture with a new time.',
    });
  let hidden: string | undefined;
  try {
    makeFolderDurably(parent);
    hidden = fs.mkdtempSync(path.join(parent, '.publishing-'));
    const files = [
      ...image.files,
      { name: signatureFile, bytes: Buffer.from(image.signature) },
      { name: manifestFile, bytes: image.manifestBytes },
    ];
    for (const { name: file, bytes } of files) {
      if (path.basename(file) !== file || file.startsWith('.'))
        throw new Error(`"${file}" is no name for a file of an image`);
      writeFileDurably(path.join(hidden, file), bytes);
    }
    fs.chmodSync(hidden, 0o755);
    fs.renameSync(hidden, folder);
    syncFolder(parent);
  } catch (cause) {
    if (hidden !== undefined) fs.rmSync(hidden, { recursive: true, force: true });
    throw new RekindleError('store-unreachable', what, {
      cause,
      next: 'Check space and rights of the store; the chunks stay and are reused.',
    });
  }
}
