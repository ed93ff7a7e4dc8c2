import { randomUUID } from 'node:crypto';
import { access, type FileHandle, open, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { threadId } from 'node:worker_threads';
import { errorChain, RekindleError } from '#base/errors.ts';
import type { ChunkId } from '../format/chunk-id.ts';
import type { WritableStoreRef } from './chunk-store.ts';
import { makeFolderDurably } from './durable-write.ts';
import { isStoreFull } from './store-full.ts';

/**
 * Who writes an image says so in `<store>/captures/<announcement>/`: in `chunks-*` every chunk that it counts on, 32
 * bytes each, appended before it looks whether the chunk is there, and in `alive` a sign of life. `gc` keeps these
 * chunks (images/README.md, "Removing chunks").
 */
export const capturesFolder = 'captures';
const aliveFile = 'alive';
export const journalPrefix = 'chunks-';

const beatEveryMs = 60_000;

export const announcementFolder = (store: string, announcement: string): string =>
  path.join(store, capturesFolder, announcement);

/** An announcement that this process keeps alive until it is disposed of, which has to be after the publication. */
export interface Announcement extends AsyncDisposable {
  readonly id: string;
  readonly store: WritableStoreRef;
  /** Stops keeping it alive, and does not withdraw it: it counts until it was silent for as long as `gc` waits. */
  leave(): void;
}

/**
 * @param onLeft told, instead of an error, that it could not be withdrawn: what it was for is done by then
 * @throws RekindleError `store-unreachable`
 */
export async function announceCapture(
  store: string,
  onLeft: (sentence: string) => void = () => {},
): Promise<Announcement> {
  const id = randomUUID();
  await beginAnnouncement(store, id);
  return holdAnnouncement(store, id, onLeft);
}

/** Keeps an announcement that was begun alive, until it is disposed of. */
export function holdAnnouncement(
  store: string,
  id: string,
  onLeft: (sentence: string) => void = () => {},
): Announcement {
  // A beat that fails is noticed where it matters: by the next chunk, or by the publication.
  const timer = setInterval(() => void keepAlive(store, id).catch(() => {}), beatEveryMs);
  timer.unref();
  return {
    id,
    store: { kind: 'directory', path: store, announcement: id },
    leave() {
      clearInterval(timer);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await withdrawAnnouncement(store, id).catch((error: unknown) => {
        const reasons = errorChain(error).join(': ');
        onLeft(
          `${announcementFolder(store, id)} could not be removed; gc will, after its grace time (${reasons})`,
        );
      });
    },
  };
}

/** @throws RekindleError `store-unreachable` */
export async function beginAnnouncement(store: string, id: string): Promise<void> {
  try {
    // A share that is not mounted must not become a folder of that name.
    await access(store);
    await makeFolderDurably(announcementFolder(store, id));
    await keepAlive(store, id);
  } catch (cause) {
    throw new RekindleError('store-unreachable', `Writing into image store ${store}`, {
      cause,
      next: 'Check the path, that the share or disk is mounted, its space and its rights.',
    });
  }
}

/** Written, not touched: the time has to be that of the share's server. @throws when the announcement is gone */
export async function keepAlive(store: string, id: string): Promise<void> {
  const handle = await open(path.join(announcementFolder(store, id), aliveFile), 'w');
  try {
    await handle.write('alive\n');
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function withdrawAnnouncement(store: string, id: string): Promise<void> {
  await rm(announcementFolder(store, id), { recursive: true, force: true });
}

export async function isAnnounced(store: string, id: string): Promise<boolean> {
  return access(announcementFolder(store, id)).then(
    () => true,
    () => false,
  );
}

/** Appends to the announcement's journal; one file a thread. */
export interface AnnouncementJournal {
  append(ids: readonly ChunkId[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * @throws RekindleError `store-unreachable`, from `append`: the announcement is gone, or cannot be written; once it could
 * not, every further one too
 */
export function openJournal(store: string, announcement: string): AnnouncementJournal {
  const file = path.join(
    announcementFolder(store, announcement),
    `${journalPrefix}${process.pid}-${threadId}`,
  );
  let opened: Promise<{ handle: FileHandle; remote: boolean }> | undefined;
  return {
    async append(ids) {
      try {
        opened ??= Promise.all([open(file, 'a'), isNetworkFileSystem(store)]).then(([handle, remote]) => ({
          handle,
          remote,
        }));
        const { handle, remote } = await opened;
        await appendWhole(file, handle, Buffer.from(ids.join(''), 'hex'));
        // On one machine every process sees the write at once; over a share only after it was sent.
        if (remote) await handle.sync();
      } catch (cause) {
        throw new RekindleError('store-unreachable', `Announcing chunks in image store ${store}`, {
          cause,
          next: isStoreFull(cause)
            ? 'Free some space in the store, then start the capture again: what is stored is reused.'
            : 'Start the capture again: what is stored is reused.',
        });
      }
    },
    async close() {
      const open = await opened?.catch(() => undefined);
      opened = undefined;
      await open?.handle.close();
    },
  };
}

/**
 * Journals that an append of this thread, through whichever handle, may have left with a part of an id, and why: what
 * came behind it would be no id to a reader.
 */
const torn = new Map<string, unknown>();

/** @throws as the file system; ever after a write that failed or was cut short, its reason */
async function appendWhole(file: string, handle: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    if (torn.has(file)) throw torn.get(file);
    const { bytesWritten } = await handle.write(bytes);
    // Another append through another handle may have ended in the meantime, and this one stands behind it.
    if (torn.has(file)) throw torn.get(file);
    if (bytesWritten === bytes.length) return;
    torn.set(file, new Error(`only ${bytesWritten} of ${bytes.length} bytes were written to ${file}`));
    // The rest, which nobody reads any more, tells the reason: a full disk, as a rule.
    await handle.write(bytes, bytesWritten);
    throw torn.get(file);
  } catch (cause) {
    torn.set(file, cause);
    throw cause;
  }
}

/** statfs(2) types: NFS, SMB, CIFS, SMB2, 9p, Ceph, FUSE (which may be sshfs). */
const networkTypes = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x01021997, 0x00c36400, 0x65735546]);

/** Whether another machine may have written to this folder a moment ago without this one seeing it yet. */
export async function isNetworkFileSystem(folder: string): Promise<boolean> {
  return networkTypes.has((await statfs(folder)).type >>> 0);
}

/**
 * Now, as the share's own clock has it: times of files are only ever compared with this.
 * @throws RekindleError `store-unreachable`: the store is not there, or cannot be written
 */
export async function storeTimeMs(store: string): Promise<number> {
  const file = path.join(store, capturesFolder, `.clock-${randomUUID()}`);
  try {
    // A share that is not mounted must not become a folder of that name.
    await access(store);
    await makeFolderDurably(path.dirname(file));
    const handle = await open(file, 'wx');
    try {
      await handle.write('now\n');
      await handle.sync();
      return (await handle.stat()).mtimeMs;
    } finally {
      await handle.close();
      await rm(file, { force: true });
    }
  } catch (cause) {
    throw new RekindleError('store-unreachable', `Asking for the time of image store ${store}`, {
      cause,
      next: 'Check that the store is mounted and may be written.',
    });
  }
}
