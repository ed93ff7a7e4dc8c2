import { randomUUID } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { isAbsent } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import type { StationName } from '../format/image-manifest.ts';
import { formatImageRef, type ImageName } from '../format/image-name.ts';
import { syncFolder } from '../stores/durable-write.ts';
import { publishingPrefix } from '../stores/publish-folder.ts';
import { systemStateFolder, systemStatesFolder } from '../stores/system-state-files.ts';

const removedPrefix = '.removed-';

/**
 * Takes system states out of a store. Each gets another name first, so that a restore that begins now does not find
 * it; then who needs it is asked, and what is needed gets its name back.
 * @param isNeeded asked once everything is hidden
 * @returns whether they are gone
 * @throws RekindleError `store-unreachable`
 */
export async function removeSystemStates(
  store: string,
  names: readonly ImageName[],
  isNeeded: () => boolean,
): Promise<boolean> {
  let at = '';
  try {
    const hidden: [folder: string, hidden: string][] = [];
    // As long as nobody has said otherwise: what stays hidden is taken for left over a day later.
    let needed = true;
    try {
      for (const name of names) {
        at = formatImageRef(name);
        const folder = systemStateFolder(store, name);
        const away = path.join(path.dirname(folder), `${removedPrefix}${randomUUID()}`);
        await rename(folder, away);
        hidden.push([folder, away]);
      }
      needed = isNeeded();
    } finally {
      if (needed) for (const [folder, away] of hidden) await rename(away, folder);
    }
    for (const [folder, away] of hidden) {
      if (!needed) await rm(away, { recursive: true, force: true });
      await syncFolder(path.dirname(folder));
    }
    return !needed;
  } catch (cause) {
    throw new RekindleError('store-unreachable', `Removing the system state ${at} from ${store}`, {
      cause,
      next: 'Check the rights of the store, then start again.',
    });
  }
}

/** A copy in progress writes at least once in so many milliseconds. */
const deadAfterMs = 24 * 3_600_000;

/** What an `add` or a `remove` that was killed has left of a station. @throws as the file system */
export async function clearLeftovers(store: string, station: StationName, nowMs = Date.now()): Promise<void> {
  const parent = path.join(store, systemStatesFolder, station);
  for (const name of await namesIn(parent)) {
    const left = path.join(parent, name);
    const isHidden = name.startsWith(removedPrefix) || name.startsWith(publishingPrefix);
    if (isHidden && (await isSilent(left, nowMs - deadAfterMs)))
      await rm(left, { recursive: true, force: true });
  }
}

async function isSilent(folder: string, sinceMs: number): Promise<boolean> {
  const entries = await readdir(folder, { recursive: true }).catch(nothingWhenGone);
  for (const entry of ['', ...entries]) {
    const found = await stat(path.join(folder, entry)).catch(nothingWhenGone);
    if ('ctimeMs' in found && found.ctimeMs > sinceMs) return false;
  }
  return true;
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(nothingWhenGone);

function nothingWhenGone(error: unknown): [] {
  if (isAbsent(error)) return [];
  throw error;
}
