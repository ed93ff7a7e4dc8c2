import fs from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { fromPlainError, type PlainError } from '#base/worker-threads.ts';
import { mountNbdAsFile } from '../mount/fuse-file.ts';
import { temporaryFolder } from '../mount/serve-image-disk.ts';
import type { ComposedDiskData } from './composed-disk-worker.ts';

export type ComposedMessage =
  | { readonly kind: 'ready'; readonly uri: string }
  | { readonly kind: 'failed'; readonly error: PlainError }
  | { readonly kind: 'unreadable'; readonly error: PlainError };

/** A disk of an image with other content in some ranges, as a plain file, read-only and without a copy. */
export interface OpenComposedDisk extends AsyncDisposable {
  readonly file: string;
  /** Why a read of it failed, when one did: the reader hears EIO only. */
  readonly unreadable: () => Error | undefined;
}

export async function openComposedDisk(data: Omit<ComposedDiskData, 'socket'>): Promise<OpenComposedDisk> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryFolder()).path;
  const workerData: ComposedDiskData = { ...data, socket: path.join(folder, 'socket') };
  // Not among the runtime's workers: virtual disks are imported on a server, from source.
  const worker = new Worker(new URL('./composed-disk-worker.ts', import.meta.url), { workerData });
  stack.defer(async () => void (await worker.terminate()));
  let unreadable: Error | undefined;
  const uri = await new Promise<string>((resolve, reject) => {
    worker.on('message', (message: ComposedMessage) => {
      if (message.kind === 'ready') resolve(message.uri);
      else if (message.kind === 'failed') reject(fromPlainError(message.error));
      else unreadable ??= fromPlainError(message.error);
    });
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new Error(`the thread that serves the disk ended with code ${code}`)),
    );
  });
  const mountPoint = path.join(folder, 'disk');
  fs.mkdirSync(mountPoint);
  const { file } = stack.use(await mountNbdAsFile(uri, mountPoint));
  const resources = stack.move();
  return { file, unreadable: () => unreadable, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}
