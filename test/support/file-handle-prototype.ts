import { type FileHandle, open } from 'node:fs/promises';

/** What every file handle of `node:fs/promises` inherits: a test that makes a write fail puts a spy on it. */
export async function fileHandlePrototype(): Promise<FileHandle> {
  await using handle = await open('/dev/null', 'r');
  return Object.getPrototypeOf(handle) as FileHandle;
}
