import { errorChain } from '#base/errors.ts';
import { type TurnAnswer, takeTurn, turnOf } from '#images/stores/capture-turn.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { turnPolicy } from '../stations/capture-policy.ts';
import type { Job } from './job-store.ts';

/**
 * The turn of a station's capture in the store. It belongs to the job and outlives this process; every request with
 * the job's token is a sign of life, and a station that was switched off loses it after a while.
 */
const silenceSeconds = 600;
const beatEveryMs = 20_000;

type CaptureJob = Pick<Job, 'kind' | 'imageName'>;

export function takeJobTurn(
  { store, configuration }: Pick<ServiceContext, 'store' | 'configuration'>,
  job: { readonly imageName: string; readonly station: string; readonly technician: string },
): Promise<TurnAnswer> {
  const { imageName: id, station, technician: who } = job;
  const holder = { id, station, who, since: new Date().toISOString(), silenceSeconds };
  return takeTurn(store, holder, turnPolicy(configuration.captures));
}

const lastBeats = new Map<string, number>();

/** Beside the request, and never an error: the request itself shows when the store is away. */
export function beatJobTurn({ store, log }: Pick<ServiceContext, 'store' | 'log'>, job: CaptureJob): void {
  const now = performance.now();
  if (job.kind !== 'capture' || now - (lastBeats.get(job.imageName) ?? -beatEveryMs) < beatEveryMs) return;
  lastBeats.set(job.imageName, now);
  turnOf(store, job.imageName)
    .beat()
    .catch((error: unknown) => {
      log.warn({ image: job.imageName, reasons: errorChain(error) }, 'turn of a capture not kept alive');
    });
}

/** @param how `ended`: the time buffer begins; `given-up`: the station starts again, at once */
export async function releaseJobTurn(
  { store, log }: Pick<ServiceContext, 'store' | 'log'>,
  job: CaptureJob,
  how: 'ended' | 'given-up',
): Promise<void> {
  if (job.kind !== 'capture') return;
  lastBeats.delete(job.imageName);
  try {
    const turn = turnOf(store, job.imageName);
    await (how === 'ended' ? turn.release() : turn.giveUp());
  } catch (error) {
    log.warn({ image: job.imageName, reasons: errorChain(error) }, 'turn of a capture not released');
  }
}
