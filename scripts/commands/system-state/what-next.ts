import { anotherKey } from '#images/format/minisign.ts';

/**
 * What to do about system states that cannot be used. Those of another site are whole, perhaps: nobody is told to
 * remove them.
 * @param problems one or more of each state
 */
export function whatNext(problems: readonly string[]): string {
  if (problems.every((problem) => problem.endsWith(anotherKey)))
    return 'Check --site and --store: another site has signed them, or a key that this site no longer has. Remove nothing before that is clear.';
  return 'Remove them (rekindle system-state remove) and add these backups again, or make new ones (wbadmin start systemstatebackup).';
}
