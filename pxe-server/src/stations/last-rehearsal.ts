import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RehearsalRecord, rehearsalRecordSchema } from '#contract/rehearsal-record.ts';
import { type PublicKey, verifySignature } from '#images/format/minisign.ts';
import type { SitePaths } from '../site/site-paths.ts';

export const recordFile = 'record.json';

/** Evidence of one rehearsal: `<site>/rehearsals/<STATION>/<UTC time>/`. */
export function rehearsalFolder(paths: SitePaths, station: string, utc: string): string {
  return join(paths.folder, 'rehearsals', station, utc);
}

/** What a station has to show for itself. */
export type RehearsalState =
  | { readonly kind: 'none' }
  /** `old`: longer ago than the policy lets count, which is as good as none. */
  | { readonly kind: 'passed' | 'failed' | 'old'; readonly ageDays: number; readonly record: RehearsalRecord }
  /** A record that was changed, or that this version cannot read. */
  | { readonly kind: 'not-believed'; readonly folder: string };

/** The newest record that is there; what is not signed by this site proves nothing. */
export async function readLastRehearsal(
  paths: SitePaths,
  station: string,
  key: PublicKey,
  { validDays, now }: { readonly validDays: number; readonly now: Date },
): Promise<RehearsalState> {
  const folders = await readdir(join(paths.folder, 'rehearsals', station)).catch(() => []);
  const newest = folders.toSorted().at(-1);
  if (newest === undefined) return { kind: 'none' };
  const folder = rehearsalFolder(paths, station, newest);
  try {
    const bytes = await readFile(join(folder, recordFile));
    const signature = await readFile(join(folder, `${recordFile}.minisig`), 'utf8');
    verifySignature(bytes, signature, key, `the rehearsal in ${folder}`);
    const record = rehearsalRecordSchema.parse(JSON.parse(bytes.toString('utf8')));
    if (record.station !== station) return { kind: 'not-believed', folder };
    return judge(record, validDays, now);
  } catch {
    return { kind: 'not-believed', folder };
  }
}

/** Pure. */
export function judge(record: RehearsalRecord, validDays: number, now: Date): RehearsalState {
  const ageDays = Math.max(0, Math.floor((now.getTime() - Date.parse(record.startedAt)) / 86_400_000));
  const kind = record.outcome === 'failed' ? 'failed' : ageDays > validDays ? 'old' : 'passed';
  return { kind, ageDays, record };
}

export function describeRehearsal(state: RehearsalState): string {
  switch (state.kind) {
    case 'none':
      return 'never rehearsed';
    case 'not-believed':
      return 'REHEARSAL NOT BELIEVED';
    case 'old':
      return `rehearsal too old (${state.ageDays} d)`;
    case 'failed':
      return `REHEARSAL FAILED (${state.ageDays} d ago)`;
    case 'passed': {
      const { restoredSeconds } = state.record.recovery;
      const time = restoredSeconds === null ? '' : `, restored in ${Math.round(restoredSeconds)} s`;
      return `rehearsed ${state.ageDays} d ago on a stand-in${time}`;
    }
  }
}
