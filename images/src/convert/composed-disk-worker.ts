import { parentPort, workerData } from 'node:worker_threads';
import { toPlainError } from '#base/worker-threads.ts';
import type { DiskIndex } from '../format/disk-index.ts';
import { startChunkReaders } from '../mount/chunk-readers.ts';
import { openImageDevice } from '../mount/image-device.ts';
import { serveNbd } from '../mount/nbd-server.ts';
import type { StoreRef } from '../stores/chunk-store.ts';
import { composeDisk, type Replacement } from './composed-disk.ts';
import type { ComposedMessage } from './open-composed-disk.ts';

/**
 * Serves a composed disk from a thread of its own: the capture reads it synchronously, and a thread cannot wait for
 * itself. It ends with the process or when it is terminated.
 */
export interface ComposedDiskData {
  readonly store: StoreRef;
  readonly index: DiskIndex;
  readonly replacements: readonly Replacement[];
  readonly socket: string;
}

const { store, index, replacements, socket } = workerData as ComposedDiskData;
const tell = (message: ComposedMessage): void => parentPort?.postMessage(message);

try {
  const readers = startChunkReaders({ store, digest: index.digest });
  const onUnreadable = (error: unknown): void => tell({ kind: 'unreadable', error: toPlainError(error) });
  const base = openImageDevice(index, (id) => readers.read(id), { onUnreadable });
  const server = await serveNbd(await composeDisk(base, replacements), socket);
  tell({ kind: 'ready', uri: server.uri });
} catch (error) {
  tell({ kind: 'failed', error: toPlainError(error) });
}
