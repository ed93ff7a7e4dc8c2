import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';
import { formatImageRef } from '../format/image-name.ts';
import { type FoundDisk, serveImageDisk } from '../mount/serve-image-disk.ts';
import { createOutputFile } from './output-file.ts';
import { type ExportFormat, type ExportPlan, planExport } from './plan-export.ts';
import { qemuImg } from './qemu-tools.ts';

export interface ExportOptions {
  readonly from: FoundDisk;
  readonly format: ExportFormat;
  /** Must not exist. */
  readonly output: string;
  /** Bytes of data, zeros not counted. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface ExportedDisk extends ExportPlan {
  readonly seconds: number;
}

const progressEveryMs = 250;

/**
 * Writes a disk of an image as a virtual disk: qemu-img reads it from our NBD server, so every byte comes from
 * a verified chunk, zero chunks stay holes, and no second copy is needed.
 * @throws RekindleError `usage` (output, format), `verification-failed` (a chunk), `interrupted`
 */
export async function exportDisk({
  from,
  format,
  output,
  onProgress,
  signal,
}: ExportOptions): Promise<ExportedDisk> {
  const startedAt = performance.now();
  const plan = planExport(from.index, from.disk.logicalSectorBytes, format);
  using file = createOutputFile(output, plan.fileBytes, plan.sizeBytes);
  const doing = `Exporting disk ${from.disk.number} of ${formatImageRef(from.image)} to ${output}`;
  let unreadable: unknown;
  let readBytes = 0;
  await using server = await serveImageDisk(from, {
    onUnreadable: (error) => {
      unreadable ??= error;
    },
    onRead: (bytes) => {
      readBytes += bytes;
    },
  });
  const report = (): void => onProgress?.(Math.min(readBytes, plan.dataBytes), plan.dataBytes);
  const timer = setInterval(report, progressEveryMs);
  const result = await callTool(
    doing,
    qemuImg,
    ['convert', '-f', 'raw', '-O', format, server.uri, file.partial],
    signal === undefined ? {} : { signal },
  ).finally(() => clearInterval(timer));
  // Before the last look at the signal: who stops now gets no file either.
  report();
  if (signal?.aborted === true)
    throw new RekindleError('interrupted', `${doing}: interrupted`, { next: 'Nothing was left behind.' });
  if (unreadable !== undefined)
    throw new RekindleError('verification-failed', `${doing}: a chunk cannot be read`, {
      cause: unreadable,
      next: 'Copy the chunk from a second store, or export another image.',
    });
  if (result.status !== 0)
    throw new RekindleError('unexpected', doing, {
      cause: new Error(result.stderr.trim() || `qemu-img ended with status ${result.status}`),
      next: result.stderr.includes('No space left')
        ? 'Free some space, or choose another disk.'
        : 'Nothing was left behind; put right what qemu-img says.',
    });
  // qemu-img counts in sectors, and flushes nothing (docs/facts.md).
  await file.finish(format === 'raw' ? plan.sizeBytes : undefined);
  return { ...plan, seconds: (performance.now() - startedAt) / 1000 };
}
