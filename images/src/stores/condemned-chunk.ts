import { readdir, rename } from 'node:fs/promises';
import path from 'node:path';

/**
 * Before it removes a chunk, `gc` gives it another name, looks once more who needs it, and only then unlinks it.
 * Whoever looks for the chunk meanwhile takes it back by renaming it again (images/README.md, "Removing chunks").
 */
const mark = '.condemned-';

/** `run` tells one gc's names from another's, so that none unlinks what the other has condemned. */
export const condemnedName = (file: string, run: string): string => `${file}${mark}${run}`;

/** The chunk file's own name, or null when `name` is not that of a condemned chunk. */
export function nameBeforeCondemned(name: string): string | null {
  const at = name.indexOf(mark);
  return at > 0 ? name.slice(0, at) : null;
}

/** @returns whether the chunk has its name again */
export async function takeBack(file: string): Promise<boolean> {
  const folder = path.dirname(file);
  const names = await readdir(folder).catch((): string[] => []);
  for (const name of names) {
    if (nameBeforeCondemned(name) !== path.basename(file)) continue;
    try {
      await rename(path.join(folder, name), file);
      return true;
    } catch {
      // It was unlinked, or taken back by somebody else, or the store is read-only: the next look decides.
    }
  }
  return false;
}
