import path from 'node:path';

/** What is built and what was seen, of all rehearsals of this checkout. */
export const stateDirectory = path.join(import.meta.dirname, '..', '..', '..', '.rekindle');

/** A new folder for the consoles and logs of one rehearsal. */
export function evidenceDirectory(kind: string): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  return path.join(stateDirectory, 'evidence', `${time}-${kind}`);
}
