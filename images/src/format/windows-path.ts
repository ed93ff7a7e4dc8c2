/** Names of files as Windows takes them, and paths of them with `/` between folders. */

/** Naming Files, Paths, and Namespaces (learn.microsoft.com/windows/win32/fileio/naming-a-file). */
const forbidden = /[\\/:*?"<>|]/;
const isControl = (character: string): boolean => character < ' ';
const devices = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)/i;
const longestName = 255;

/** A name that Windows would store as it is, and that leads nowhere else on any system. */
export function isWindowsName(name: string): boolean {
  return (
    name.length > 0 &&
    name.length <= longestName &&
    name.isWellFormed() &&
    !forbidden.test(name) &&
    ![...name].some(isControl) &&
    !/[. ]$/.test(name) &&
    !devices.test(name)
  );
}

/** Windows takes 260 characters of a path as a rule; more than this is no backup. */
const longestPath = 1024;

export const isWindowsPath = (path: string): boolean =>
  path.length <= longestPath && path.split('/').every(isWindowsName);

/**
 * Windows sees no case: two spellings of one name, or a file that is a folder too, cannot both be there.
 * @returns the first path that contradicts one before it
 */
export function findPathConflict(paths: readonly string[]): string | undefined {
  const known = new Map<string, { readonly spelling: string; readonly isFile: boolean }>();
  for (const path of paths) {
    const parts = path.split('/');
    for (let depth = 1; depth <= parts.length; depth++) {
      const spelling = parts.slice(0, depth).join('/');
      const isFile = depth === parts.length;
      const before = known.get(spelling.toLowerCase());
      if (before === undefined) known.set(spelling.toLowerCase(), { spelling, isFile });
      else if (isFile || before.isFile || before.spelling !== spelling) return path;
    }
  }
  return undefined;
}
