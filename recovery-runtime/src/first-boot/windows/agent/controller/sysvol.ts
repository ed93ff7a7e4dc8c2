import { has, run, sleep, system, write } from '../station.ts';
import type { SysvolSubscription } from './directory.ts';
import { newestEvent } from './event-log.ts';
import { mayLookAgain, note, remembered, setting } from './memory.ts';

/**
 * SYSVOL from a partner. DFSR: KB 2218556, its service held back until the subscription is off, so that it never
 * replicates what is in the image. FRS: BurFlags D2 was set in the hive (KB 290762). Events count by their place in the log.
 */
export type Sysvol = 'from-partner' | 'pending' | 'failed' | 'not-asked';

var looksForOff = 10;
var looksForContent = 40;
/** ADSI may be late at a start without a network. */
var looksForDirectory = 10;
var dfsr = 'DFS Replication';

function tool(command: string): void {
  run(`${system('cmd.exe')} /d /c "call ${command} >nul 2>nul"`);
}

/**
 * Before DFSR may start: the subscription is off in this controller's directory.
 * @returns it is off; false: not yet, `given-up`: never
 */
export function switchOff(subscription: SysvolSubscription): boolean | 'given-up' {
  if (has('sysvol-off')) return true;
  if (has('sysvol-given-up')) return 'given-up';
  remembered('base-4114', () => newestEvent(dfsr, 4114).record);
  remembered('base-4604', () => newestEvent(dfsr, 4604).record);
  try {
    subscription.setEnabled(false);
    if (subscription.isEnabled()) throw new Error('read back, it is still TRUE');
  } catch (error) {
    note(`msDFSR-Enabled could not be set to FALSE: ${(error as Error).number} ${(error as Error).message}`);
    if (mayLookAgain('looks-directory', looksForDirectory)) return false;
    write('sysvol-given-up', '.');
    return 'given-up';
  }
  write('sysvol-off', '.');
  note('msDFSR-Enabled is FALSE');
  return true;
}

/** After that, DFSR running. @returns undefined: look again */
export function fetchByDfsr(subscription: SysvolSubscription): Sysvol | undefined {
  sleep(parseInt(setting('sysvolPauseSeconds'), 10));
  if (!has('sysvol-on')) {
    tool('dfsrdiag pollad');
    var off = newestEvent(dfsr, 4114).record > remembered('base-4114', () => 0);
    if (!off && mayLookAgain('looks-4114', looksForOff)) return undefined;
    // Whatever happened: left FALSE, SYSVOL would never replicate again.
    try {
      subscription.setEnabled(true);
    } catch (error) {
      note(`msDFSR-Enabled could not be set to TRUE: ${(error as Error).number} ${(error as Error).message}`);
      return mayLookAgain('looks-on', looksForDirectory) ? undefined : 'failed';
    }
    note(
      off ? 'event 4114; msDFSR-Enabled is TRUE' : 'event 4114 did not come; msDFSR-Enabled is TRUE again',
    );
    write('sysvol-on', off ? 'yes' : 'no');
    tool('repadmin /syncall /AdeP');
    tool('dfsrdiag pollad');
    return off ? undefined : 'failed';
  }
  if (newestEvent(dfsr, 4604).record > remembered('base-4604', () => 0)) {
    note('event 4604: SYSVOL has come from a partner');
    return 'from-partner';
  }
  return mayLookAgain('looks-4604', looksForContent) ? undefined : 'pending';
}

/** Without a network nothing can have come: what is in the log then is the image's. */
export function rememberFrs(): void {
  remembered('base-13516', () => newestEvent('File Replication Service', 13516).record);
}

/** @returns undefined: look again */
export function fetchByFrs(): Sysvol | undefined {
  sleep(parseInt(setting('sysvolPauseSeconds'), 10));
  if (newestEvent('File Replication Service', 13516).record > remembered('base-13516', () => 0)) {
    note('event 13516: SYSVOL has come from a partner');
    return 'from-partner';
  }
  return mayLookAgain('looks-13516', looksForContent) ? undefined : 'pending';
}
