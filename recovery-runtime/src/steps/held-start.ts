import { RekindleError } from '#base/errors.ts';
import { soleController, verdictEvidence } from '#contract/domain-files.ts';
import type { HookPlan } from '#contract/hook.ts';
import { type HookRecord, sentenceOf } from '#contract/hook-result.ts';
import { quarantineByHand, replacedCardsProblem } from '../hooks/domain/replaced-cards.ts';
import type { PlannedDisk } from './plan-restore.ts';

/**
 * Hooks without which the restored system must never start, whatever happens: a controller that has partners. Its
 * disks get their first blocks when these hooks have succeeded, so that a power cut in between, or a hook that fails,
 * leaves disks that no firmware starts.
 * @returns ids; empty: the disks are finished as soon as their content is verified
 */
export function hooksThatHoldStart(
  { hooks }: Pick<HookPlan, 'hooks'>,
  preflight: readonly HookRecord[],
): string[] {
  const isSole = (id: string) =>
    preflight.some(
      ({ hook, evidence }) =>
        hook === id &&
        evidence.some(({ name, value }) => name === verdictEvidence && value === soleController),
    );
  return hooks.filter(({ kind, id }) => kind === 'domain-controller' && !isSole(id)).map(({ id }) => id);
}

/** Volumes alone have nothing to hold back but the file system that the hooks need. @throws RekindleError */
export function assertHoldable(station: string, planned: readonly Pick<PlannedDisk, 'plan'>[]): void {
  if (planned.every(({ plan }) => plan.extent === 'disk')) return;
  throw new RekindleError('failed-hooks', `preparing the restore of the domain controller ${station}`, {
    cause: new Error('single volumes of a controller would start before its directory was put right'),
    next: 'Restore the whole disk; its data volumes survive. Nothing was written.',
  });
}

/**
 * The hook itself would refuse as well, an hour later. @throws RekindleError `failed-hooks`
 * @param holding what `hooksThatHoldStart` has said
 */
export function assertCardsHoldable(
  station: string,
  { hooks }: Pick<HookPlan, 'hooks'>,
  holding: readonly string[],
  networkCards: Parameters<typeof replacedCardsProblem>[1],
): void {
  for (const hook of hooks) {
    if (hook.kind !== 'domain-controller' || !holding.includes(hook.id)) continue;
    const problem = replacedCardsProblem(hook, networkCards);
    if (problem === undefined) continue;
    throw new RekindleError('failed-hooks', `preparing the restore of the domain controller ${station}`, {
      cause: new Error(`it could not be kept off the network until it has proved itself: ${problem}`),
      next: `${quarantineByHand} Nothing was written.`,
    });
  }
}

/** @throws RekindleError `failed-hooks`: one of them has not succeeded, and the disks stay without first blocks */
export function assertHooksHeld(
  station: string,
  holding: readonly string[],
  records: readonly HookRecord[],
): void {
  for (const id of holding) {
    const record = records.find(({ hook, phase }) => hook === id && phase === 'offline');
    if (record !== undefined && ['done', 'staged', 'unverified'].includes(record.result.outcome)) continue;
    const why = record === undefined ? `hook ${id} left no record` : sentenceOf(record.result);
    const next = record?.result.outcome === 'failed' ? record.result.next : undefined;
    throw new RekindleError(
      'failed-hooks',
      `putting the restored system of ${station} right before it starts`,
      {
        cause: new Error(why),
        next: `Its disks have no first blocks and do not start. ${next ?? 'Mend the cause.'} To try again, start the restore again: what is right on the disks is kept.`,
      },
    );
  }
}
