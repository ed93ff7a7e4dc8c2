import { isPlainDhcp } from './boot-stage.ts';
import type { Journal } from './journal.ts';
import { startsRuntime } from './judge-boot.ts';
import { machineAt } from './neighbour-table.ts';

/**
 * The first thing that the runtime does once its network is up is to ask for `/health`; until somebody logs on it may be
 * the last. Others ask too, a monitoring system every few seconds, an
 * installed system that was started from its own disk: only a machine that we gave the runtime is noted, once.
 */
export function noteReached(journal: Journal, remoteAddress: string | undefined): void {
  const machine = machineAt(remoteAddress ?? '');
  const last = journal.last(machine);
  if (last === undefined || !(last.stage === 'boot-files' || isPlainDhcp(last))) return;
  if (!startsRuntime(journal.boots(machine).at(-1) ?? [])) return;
  journal.record({ machine, stage: 'runtime', sentence: 'its runtime has reached the service' });
}
