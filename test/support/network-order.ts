import type { HookRecord } from '#contract/hook-result.ts';
import type { NetworkCard } from '#images/passport/hardware-passport.ts';
import type { OpenSystem } from '#runtime/hooks/open-restored-system.ts';
import { runOfflineHooks } from '#runtime/hooks/run-offline-hooks.ts';
import { offlineRun } from './offline-run.ts';
import { somePassport } from './some-passport.ts';

/** The network cards of a station, and the hook `network-order` on its restored disk. */

const [first, second] = somePassport().networkCards as [NetworkCard, NetworkCard];
export const plant = first;
export const terminal: NetworkCard = { ...second, mac: '52:54:00:0a:00:02' };
export const newMac = '52:54:00:ab:cd:ef';
/** Another card in its slot. */
export const replaced: NetworkCard = { ...terminal, mac: newMac };

/** @param machine the cards that the runtime has found; the image has `plant` and `terminal` */
export async function runNetworkOrder(
  openSystem: () => Promise<OpenSystem>,
  machine: readonly NetworkCard[],
): Promise<HookRecord> {
  const [record] = await runOfflineHooks({
    ...offlineRun([{ id: 'order', kind: 'network-order' }]),
    networkCards: { image: [plant, terminal], machine },
    openSystem,
  });
  if (record === undefined) throw new Error('one hook, one record');
  return record;
}
