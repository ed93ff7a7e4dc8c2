import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import type { IndexChunk } from '#images/format/disk-index.ts';

/** Where a restore stood when it failed. */
export interface Position {
  readonly device: string;
  readonly sectorBytes: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

const resume = 'Start the restore again: what is already right on the disk is kept.';

function at(position: Position, startByte: number): string {
  return `${position.device} at byte ${startByte} (LBA ${Math.floor(startByte / position.sectorBytes)})`;
}

function howFar(position: Position): string {
  return `after ${formatBytes(position.doneBytes)} of ${formatBytes(position.totalBytes)}`;
}

/** The disk refused to be read, written or flushed. */
export function diskFailed(
  verb: 'Reading' | 'Writing' | 'Flushing',
  position: Position,
  startByte: number,
  cause: unknown,
): RekindleError {
  return new RekindleError('target-unfit', `${verb} ${at(position, startByte)}, ${howFar(position)}`, {
    cause,
    next: `Check the disk and its cable, replace it if this comes again. ${resume}`,
    details: { device: position.device, startByte },
  });
}

/** What was written is not what the disk gives back. */
export function readBackDiffers(position: Position, chunk: IndexChunk, found: string): RekindleError {
  return new RekindleError(
    'verification-failed',
    `Reading back ${at(position, chunk.startByte)}: the ${chunk.sizeBytes} bytes of chunk ${chunk.id} hash to ${found}`,
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
