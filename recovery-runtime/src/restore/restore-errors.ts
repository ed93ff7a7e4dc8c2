import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import type { ByteRange } from '#images/format/chunk-grid.ts';
import type { IndexChunk } from '#images/format/disk-index.ts';

/** Where a restore stood when it failed. */
export interface Position {
  readonly device: string;
  readonly sectorBytes: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

const resume = 'Start the restore again: what is already right on the disk is kept.';

/** Both ends: which sector of a write failed, the kernel does not say. */
function at({ device, sectorBytes }: Position, { startByte, sizeBytes }: ByteRange): string {
  const lastByte = startByte + Math.max(sizeBytes, 1) - 1;
  const lba = (byte: number): number => Math.floor(byte / sectorBytes);
  return `${device} at bytes ${startByte} to ${lastByte} (LBA ${lba(startByte)} to ${lba(lastByte)})`;
}

function howFar(position: Position): string {
  return `after ${formatBytes(position.doneBytes)} of ${formatBytes(position.totalBytes)}`;
}

/**
 * The disk refused to be read, written or flushed.
 * @param place what was read or written; for a flush, all that was written since the last one
 */
export function diskFailed(
  verb: 'Reading' | 'Writing' | 'Flushing',
  position: Position,
  place: ByteRange,
  cause: unknown,
): RekindleError {
  return new RekindleError('target-unfit', `${verb} ${at(position, place)}, ${howFar(position)}`, {
    cause,
    next: `Check the disk and its cable, replace it if this comes again. ${resume}`,
    details: { device: position.device, startByte: place.startByte, sizeBytes: place.sizeBytes },
  });
}

/** What was written is not what the disk gives back. */
export function readBackDiffers(position: Position, chunk: IndexChunk, found: string): RekindleError {
  return new RekindleError(
    'verification-failed',
    `Reading back ${at(position, chunk)}: chunk ${chunk.id} hashes to ${found}`,
    {
      next: `The disk did not keep what was written. Replace it if this comes again. ${resume}`,
      details: { device: position.device, chunk: chunk.id },
    },
  );
}

export function wrongChunkSize(chunk: IndexChunk, found: number, store: string): RekindleError {
  return new RekindleError(
    'verification-failed',
    `Reading chunk ${chunk.id} from ${store}: it has ${found} bytes, the disk index says ${chunk.sizeBytes}`,
    {
      next: 'The disk index does not belong to this store. Choose another image of the station.',
      details: { chunk: chunk.id },
    },
  );
}
