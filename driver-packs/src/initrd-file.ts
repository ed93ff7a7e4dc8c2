import { hash, randomUUID } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '#base/make-folder.ts';
import { runToolForBytes } from '#base/run-tool.ts';
import { type CompressProgress, parseZstdProgress } from './zstd-progress.ts';

const zstd = { command: 'zstd', debianPackage: 'zstd' };

export interface WrittenFile {
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** Compresses a cpio archive. */
export async function compressInitrd(
  archive: Uint8Array,
  level: number,
  onProgress?: CompressProgress,
): Promise<Buffer> {
  // zstd's worker threads give the same bytes however many there are.
  const args = ['-c', '-T0', `-${level}`, onProgress === undefined ? '-q' : '--progress'];
  return await runToolForBytes('compressing an initrd', zstd, args, {
    input: archive,
    onStderr(part) {
      const done = parseZstdProgress(part);
      if (done !== undefined) onProgress?.(Math.min(done, archive.length), archive.length);
    },
  });
}

/** Writes a file whole or not at all, whoever else is writing the same one. */
export async function writeWhole(path: string, content: Uint8Array): Promise<WrittenFile> {
  await makeFolder(dirname(path));
  const partial = `${path}.${randomUUID()}.partial`;
  await writeFile(partial, content);
  await rename(partial, path);
  return { path, bytes: content.length, sha256: hash('sha256', content) };
}
