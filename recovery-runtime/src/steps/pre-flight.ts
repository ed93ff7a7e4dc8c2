import type { StoreRef } from '#images/stores/chunk-store.ts';
import { openStore } from '#images/stores/open-store.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import { assertChunksPresent, chunksOfPlan } from '../restore/check-chunks-present.ts';
import type { PlannedDisk } from './plan-restore.ts';

/** Every chunk that the restore may fetch is in the store, and the first and the last one really can be read. */
export const preFlight = readingStep<
  { readonly source: StoreRef; readonly planned: readonly PlannedDisk[] },
  { readonly chunks: number }
>({
  id: 'pre-flight',
  title: titles['pre-flight'],
  async run({ source, planned }) {
    let chunks = 0;
    for (const { plan } of planned) {
      const store = openStore(source, plan.index.digest);
      try {
        await assertChunksPresent(plan, store);
        const ids = chunksOfPlan(plan);
        chunks += ids.length;
        for (const id of new Set([ids.at(0), ids.at(-1)])) if (id !== undefined) await store.get(id);
      } finally {
        await store.close();
      }
    }
    return { value: { chunks }, sentence: texts.preflightDone(chunks) };
  },
});
