import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '#base/make-folder.ts';

/**
 * What is there under its name is complete and on the medium: temporary file, fsync, rename, fsync of the folder.
 * Asynchronous: a service that waits for a slow disk goes on answering.
 */

let counter = 0;

export async function writeFileDurably(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${file}.${process.pid}-${counter++}-${Math.random().toString(36).slice(2, 8)}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await writeFully(handle, bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(file));
}

/** All of the bytes, where one write may take a part of them: what is missing tells why. @throws as the file system */
export async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
  }
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder and the ones above it, each entered durably in its parent. */
export async function makeFolderDurably(folder: string): Promise<void> {
  const first = await makeFolder(folder);
  if (first === undefined) return;
  const above = path.dirname(first);
  for (let at = path.resolve(folder); at !== above; at = path.dirname(at)) await syncFolder(path.dirname(at));
}
