import { type CpioEntry, formatCpio } from '#driver-packs/cpio.ts';
import { compressInitrd } from '#driver-packs/initrd-file.ts';
import type { CompressProgress } from '#driver-packs/zstd-progress.ts';
import { compressInPieces } from './compress-in-pieces.ts';

/**
 * The runtime's files by when a start needs them. The kernel unpacks an initramfs with one processor and starts init when
 * all of it is there: so it gets what init starts with. Init (recovery-runtime/src/init/init) unpacks the executable with
 * all processors, and the rest while the executable starts.
 */
export interface RuntimeFiles {
  readonly start: readonly CpioEntry[];
  readonly executable: Extract<CpioEntry, { kind: 'file' }>;
  /** Not there before the runtime's first line (recovery-runtime/src/init/wait-for-init.ts). */
  readonly later: readonly CpioEntry[];
}

export async function compressRuntime(
  { start, executable, later }: RuntimeFiles,
  level: number,
  onProgress?: CompressProgress,
): Promise<Buffer> {
  const executableBytes = executable.bytes.length;
  const archive = formatCpio(later);
  const totalBytes = executableBytes + archive.length;
  const program = await compressInPieces(executable.bytes, level, (done) => onProgress?.(done, totalBytes));
  const rest = await compressInPieces(archive, level, (done) =>
    onProgress?.(executableBytes + done, totalBytes),
  );
  const first = formatCpio([
    ...start,
    { kind: 'file', path: `${executable.path}.zst`, mode: 0o644, bytes: program },
    { kind: 'file', path: 'rekindle/later.cpio.zst', mode: 0o644, bytes: rest },
  ]);
  return await compressInitrd(first, level);
}
