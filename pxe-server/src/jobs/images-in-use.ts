import { formatImageRef, parseImageName, parseImageRef } from '#images/format/image-name.ts';
import type { State } from '../site/state.ts';

/**
 * Images that somebody counts on now, by `STATION@<UTC>` or `STATION@latest`, with the reason. Without a look at the
 * clock, which may be wrong: an arming counts until it is used or taken back, a restore that never reported counts
 * until a later job of its station has ended.
 */
export function imagesInUse(state: State): Map<string, string[]> {
  const inUse = new Map<string, string[]>();
  const add = (ref: string, reason: string): void => void inUse.set(ref, [...(inUse.get(ref) ?? []), reason]);
  for (const { id, kind, image } of openJobs(state)) {
    const name = parseImageName(String(image));
    if (name !== null) add(formatImageRef(name), `${String(kind)} job ${String(id)} is open`);
  }
  for (const { image, by } of state.prepare('SELECT image, by FROM armed').all())
    add(formatImageRef(parseImageRef(String(image))), `station is armed with it (by ${String(by)})`);
  return inUse;
}

/** Ids of the restores of a station that count as open. */
export const openRestoresOf = (state: State, station: string): string[] =>
  openJobs(state)
    .filter((job) => job['kind'] === 'restore' && job['station'] === station)
    .map(({ id }) => String(id));

const openJobs = (state: State) =>
  state
    .prepare(
      `SELECT id, kind, station, image FROM jobs AS job WHERE closed_at IS NULL AND NOT EXISTS (
         SELECT 1 FROM jobs AS later
         WHERE later.station = job.station AND later.rowid > job.rowid AND later.closed_at IS NOT NULL)`,
    )
    .all();
