import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import { type ChunkId, zeroChunkId } from '#images/format/chunk-id.ts';
import { chunkAt } from '#images/format/disk-index.ts';
import type { ChunkSource } from '#images/stores/chunk-store.ts';
import type { RestorePlan } from './restore-plan.ts';

/** Ids that a restore by this plan may have to fetch; zero chunks are made here. */
export function chunksOfPlan(plan: RestorePlan): ChunkId[] {
  const ids = new Set<ChunkId>();
  const heads = plan.heldBack.heads.map(({ chunks }) => chunks);
  for (const numbers of [...heads, plan.chunks, plan.heldBack.tail]) {
    for (const number of numbers) {
      const { id, sizeBytes } = chunkAt(plan.index, number);
      if (id !== zeroChunkId(sizeBytes, plan.index.digest)) ids.add(id);
    }
  }
  return [...ids];
}

/** Chunks of the plan that the store does not hold. Nothing is written. */
function checkChunksPresent(plan: RestorePlan, source: ChunkSource): Promise<ChunkId[]> {
  return source.missing(chunksOfPlan(plan));
}

/** @throws RekindleError `verification-failed`, naming the missing chunks */
export async function assertChunksPresent(plan: RestorePlan, source: ChunkSource): Promise<void> {
  const missing = await checkChunksPresent(plan, source);
  if (missing.length === 0) return;
  const named =
    missing.slice(0, 5).join(', ') + (missing.length > 5 ? ` and ${missing.length - 5} more` : '');
  throw new RekindleError(
    'verification-failed',
    `Checking the image before the first write (${formatBytes(plan.totalBytes)}): image store ${source.description} lacks ` +
      `${missing.length === 1 ? 'one chunk' : `${missing.length} chunks`} of disk ${plan.diskNumber}: ${named}`,
    {
      next: 'Nothing was written. Copy the missing chunks from a second store, or choose another image.',
      details: { missing },
    },
  );
}
