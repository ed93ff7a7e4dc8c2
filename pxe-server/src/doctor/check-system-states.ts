import { errorChain, RekindleError } from '#base/errors.ts';
import type { SystemState } from '#contract/hook-kinds/domain-controller.ts';
import type { StationName } from '#images/format/image-manifest.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import { findSystemState } from '../hooks/find-system-state.ts';
import { readSigningPublicKey } from '../site/site-keys.ts';
import type { SitePaths } from '../site/site-paths.ts';
import { type Finding, problem, warning, well } from './finding.ts';

/** What the plan of a station will look for in the store. */
export interface WantedState {
  readonly station: StationName;
  readonly version: (SystemState & { from: 'backup-in-store' })['version'];
}

const check = 'system states';
const dayMs = 86_400_000;
/** A forest forgets deleted objects after 60 days at the earliest, and takes no older state after that. */
const oldDays = 60;

/** Whether the system states are there that hook plans restore domain controllers from. Reads no file of a backup. */
export async function checkSystemStates(
  paths: SitePaths,
  store: string,
  wanted: readonly WantedState[],
  now = Date.now(),
): Promise<Finding[]> {
  return Promise.all(wanted.map((each) => checkOne(paths, store, each, now)));
}

async function checkOne(
  paths: SitePaths,
  store: string,
  { station, version }: WantedState,
  now: number,
): Promise<Finding> {
  const anew = `Make a backup on it (wbadmin start systemstatebackup), then: rekindle system-state add ${station} FOLDER`;
  try {
    const key = await readSigningPublicKey(paths);
    const source = { kind: 'directory', path: store } as const;
    const { name, manifest, missing } = await findSystemState({ source, key }, station, version);
    const ref = formatImageRef(name);
    if (missing.length > 0) {
      const sentence = `The system state ${ref}, which ${station} is to be restored from, is not whole: ${missing[0]}.`;
      return problem(check, sentence, anew);
    }
    const days = Math.floor((now - Date.parse(manifest.takenAt)) / dayMs);
    const age = `The system state that ${station} is to be restored from, ${ref}, is ${days} ${days === 1 ? 'day' : 'days'} old`;
    return days > oldDays
      ? warning(check, `${age}; one that is older than the forest's tombstone lifetime is refused.`, anew)
      : well(check, `${age}.`);
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    const what = `${station} is to be restored from a system state in the store, and there is none that can be used.`;
    const next = error.code === 'not-found' ? anew : (error.next ?? anew);
    return problem(check, `${what} ${errorChain(error).join(': ')}.`, next);
  }
}
