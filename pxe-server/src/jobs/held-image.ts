import { errorChain, RekindleError } from '#base/errors.ts';
import type { MachineReport } from '#contract/run-report.ts';
import { parseImageName } from '#images/format/image-name.ts';
import { beginReading } from '#images/stores/announce-reading.ts';
import { keepAlive, withdrawAnnouncement } from '#images/stores/announcement.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import type { Job } from './job-store.ts';

/**
 * The image of a restore, announced in the store under the job's id: `prune` leaves it alone, on whatever machine that
 * runs, also while the station reads the share itself. A store that cannot be written holds nothing, and restores all
 * the same: the open job in the state keeps this site's own `prune` away.
 */
type Context = Pick<ServiceContext, 'store' | 'log'>;

const beatEveryMs = 60_000;
const lastBeats = new Map<string, number>();

/** @returns false when the image was removed since it was read */
export async function holdImage(
  { store, log }: Context,
  { jobId, image, machine }: { readonly jobId: string; readonly image: string; readonly machine: string },
): Promise<boolean> {
  const name = parseImageName(image);
  if (name === null) return false;
  try {
    await beginReading(store, jobId, name, `the restore of ${machine}`);
    return true;
  } catch (error) {
    if (error instanceof RekindleError && error.code === 'not-found') return false;
    log.warn({ image, reasons: errorChain(error) }, 'restore not announced in the store');
    return true;
  }
}

/** Beside the request; a restore goes on without. */
export function beatHeldImage({ store, log }: Context, job: Pick<Job, 'kind' | 'id'>): void {
  const now = performance.now();
  if (job.kind !== 'restore' || now - (lastBeats.get(job.id) ?? -beatEveryMs) < beatEveryMs) return;
  lastBeats.set(job.id, now);
  keepAlive(store, job.id).catch((error: unknown) => {
    log.warn({ job: job.id, reasons: errorChain(error) }, 'announcement of a restore not kept alive');
  });
}

/** After a failed restore it stays until it was silent for as long as `gc` waits: the next try needs the image. */
export async function releaseImage(
  { store, log }: Context,
  job: Pick<Job, 'id'>,
  outcome: MachineReport['outcome'],
): Promise<void> {
  lastBeats.delete(job.id);
  if (outcome !== 'restored' && outcome !== 'refused') return;
  await withdrawAnnouncement(store, job.id).catch((error: unknown) => {
    log.warn({ job: job.id, reasons: errorChain(error) }, 'announcement of a restore not withdrawn');
  });
}
