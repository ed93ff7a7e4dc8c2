import { type SystemStateManifest, systemStateManifestSchema } from '#images/format/system-state-manifest.ts';
import { backupFolder } from '#images/stores/system-state-files.ts';

/**
 * Where a system state from the store lies on a drive of the restored Windows: wbadmin looks for its folder at the root of
 * its target. Windows paths, without the drive.
 */
export const copiedFolder = (computer?: string): string =>
  computer === undefined ? `\\${backupFolder}` : `\\${backupFolder}\\${computer}`;

/** What wbadmin calls the folder of one backup. */
export const backupName = (takenAt: string): string =>
  takenAt.replace(/^(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)Z$/, 'Backup $1 $2$3$4');

/** At the root of the drive: says that the folder is a copy of ours, and which files belong to it. */
export const noteFile = 'rekindle-system-state.json';

/** What may stand in a batch file as it is. */
export const isPlainComputerName = (name: string): boolean => /^[A-Za-z0-9_-]{1,63}$/.test(name);

/** For a person who finds it, and for the next try. */
export function formatNote(manifest: SystemStateManifest): string {
  const what = `Copied here by a restore with Rekindle, for wbadmin. When ${manifest.computerName} is back and in order, remove this file and ${copiedFolder(manifest.computerName)}.`;
  return `${JSON.stringify({ what, manifest }, undefined, 1)}\n`;
}

/** Undefined: it is none of ours, or it was never written to its end. */
export function parseNote(text: string): SystemStateManifest | undefined {
  try {
    return systemStateManifestSchema.parse(JSON.parse(text).manifest);
  } catch {
    return undefined;
  }
}

/** What lies in the computer's folder already: files by their paths below it, `/` between folders. */
export interface FoundFolder {
  readonly files: readonly string[];
  /** Links and other things that are neither file nor folder. */
  readonly odd: readonly string[];
}

export type FoundState =
  | { readonly kind: 'free' }
  /** Of an earlier try; `leftover` belong to it and not to the state that is wanted. */
  | { readonly kind: 'ours'; readonly leftover: readonly string[] }
  | { readonly kind: 'foreign'; readonly why: string };

/** Only what the note of an earlier try names is ever changed or removed: a backup of somebody else is not. Pure. */
export function judgeFound(
  { files, odd }: FoundFolder,
  note: SystemStateManifest | undefined,
  wanted: SystemStateManifest,
): FoundState {
  const [strange] = odd;
  if (strange !== undefined)
    return { kind: 'foreign', why: `${strange} in it is neither a file nor a folder` };
  if (files.length === 0) return { kind: 'free' };
  if (note === undefined || note.computerName !== wanted.computerName || note.station !== wanted.station)
    return { kind: 'foreign', why: `no note says that its ${files.length} file(s) are a copy of Rekindle's` };
  const [stray] = difference(files, note);
  if (stray !== undefined)
    return { kind: 'foreign', why: `${stray} was put beside the copy that an earlier try has made` };
  return { kind: 'ours', leftover: difference(files, wanted) };
}

function difference(files: readonly string[], { files: listed }: SystemStateManifest): string[] {
  const known = new Set(listed.map(({ path }) => path));
  return files.filter((file) => !known.has(file));
}
