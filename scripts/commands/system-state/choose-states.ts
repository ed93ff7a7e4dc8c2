import { parseStore } from '#images/stores/open-store.ts';
import { listSystemStates, resolveSystemState } from '#images/stores/system-state-files.ts';
import type { Choice } from '../image/choose-images.ts';

export function systemStatesOf(store: string): Choice {
  const ref = parseStore(store);
  return {
    noun: 'system state',
    listVerb: 'system-state list',
    store,
    list: (station) => listSystemStates(ref, station),
    resolve: (named) => resolveSystemState(ref, named),
  };
}
