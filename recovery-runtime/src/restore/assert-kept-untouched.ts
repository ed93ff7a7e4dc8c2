import { endOf, overlaps } from '#images/format/chunk-grid.ts';
import { chunkAt } from '#images/format/disk-index.ts';
import type { RestorePlan } from './restore-plan.ts';

/**
 * The kernel locks whole devices only, and the restore writes the whole disk's device: so what a plan keeps is
 * compared with every chunk it writes, by somebody who did not make the plan.
 * @throws RangeError naming both: the plan is wrong, and nothing was written
 */
export function assertKeptUntouched({ chunks, heldBack, index, kept }: RestorePlan): void {
  const first = heldBack.heads.flatMap((head) => head.chunks);
  for (const number of [...first, ...chunks, ...heldBack.tail]) {
    const chunk = chunkAt(index, number);
    const range = kept.find((each) => overlaps(each, chunk));
    if (range === undefined) continue;
    throw new RangeError(
      `the restore plan keeps ${range.what} (bytes ${range.startByte} to ${endOf(range)}) and writes bytes ${chunk.startByte} to ${endOf(chunk)}`,
    );
  }
}
