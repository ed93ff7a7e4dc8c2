import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { runToolForBytes } from '#base/run-tool.ts';
import type { CompressProgress } from '#driver-packs/zstd-progress.ts';
import { pzstd } from './tool-files.ts';

/** Small enough that eight processors have something to do; larger pieces compress 2 % better. */
const pieceBytes = 8 * 1024 * 1024;

const [path, debianPackage] = pzstd;
const tool = { command: basename(path), debianPackage };

/**
 * Compresses bytes so that `pzstd -d` unpacks them with every processor at once: each piece is a zstd frame behind a
 * skippable frame that says how long it is (RFC 8878, 3.1.2). Any other zstd reads them as well. The same input gives
 * the same bytes.
 */
export async function compressInPieces(
  bytes: Uint8Array,
  level: number,
  onProgress?: CompressProgress,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const count = Math.ceil(bytes.length / pieceBytes);
  let next = 0;
  let doneBytes = 0;
  const work = async () => {
    while (next < count) {
      const index = next++;
      const input = bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes);
      const args = ['-q', '-c', '-p', '1', `-${level}`];
      pieces[index] = await runToolForBytes('compressing the runtime', tool, args, { input });
      doneBytes += input.length;
      onProgress?.(doneBytes, bytes.length);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return Buffer.concat(pieces);
}
