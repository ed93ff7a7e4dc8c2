import fs from 'node:fs';
import path from 'node:path';

/** What is there under its name is complete and on the medium: temporary file, fsync, rename, fsync of the folder. */

let counter = 0;

export function writeFileDurably(file: string, bytes: Uint8Array): void {
  const temporary = `${file}.${process.pid}-${counter++}-${Math.random().toString(36).slice(2, 8)}.tmp`;
  try {
    const fd = fs.openSync(temporary, 'wx', 0o644);
    try {
      for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at, bytes.length - at);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(path.dirname(file));
}

export function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes a folder and the ones above it, each entered durably in its parent. */
export function makeFolderDurably(folder: string): void {
  const first = fs.mkdirSync(folder, { recursive: true });
  if (first === undefined) return;
  for (let at = folder; at !== path.dirname(first); at = path.dirname(at)) syncFolder(path.dirname(at));
}
