import { stepExitCodes } from '#contract/first-boot.ts';
import { copiedFolder, noteFile } from './copied-state.ts';

/** What the first-boot step of a controller does in directory services restore mode. */
export interface WbadminRecovery {
  /** MM/DD/YYYY-HH:MM */
  readonly version: string;
  /** What `-backupTarget:` takes: a drive of the station, or a share. */
  readonly target: string;
  /** What the runtime has copied to `target`: it is removed when it has served. */
  readonly copied: CopiedBackup | undefined;
}

export interface CopiedBackup {
  /** Name of its folder. */
  readonly computer: string;
  /** Name of the folder in it that wbadmin made: `Backup 2026-11-20 020000`. */
  readonly backup: string;
}

const { restartRetry } = stepExitCodes;

/** As a person types it. */
export const wbadminCommand = ({ version, target }: Pick<WbadminRecovery, 'version' | 'target'>): string =>
  commandWith(version, `-backupTarget:${target}`);

const commandWith = (version: string, backupTarget: string): string =>
  `wbadmin start systemstaterecovery -version:${version} ${backupTarget} -machine:%COMPUTERNAME% -quiet`;

/**
 * The lines of its batch file before the look. wbadmin runs once; the mode is taken back only when it says that it has
 * restored. SAFEBOOT_DSREPAIR is 3 in `OptionValue`, a key that only a safe start has.
 */
export function recoverByWbadmin({ version, target, copied }: WbadminRecovery): string[] {
  return [
    'call reg query HKLM\\SYSTEM\\CurrentControlSet\\Control\\SafeBoot\\Option /v OptionValue >mode.txt 2>nul',
    'set mode=0',
    'for /f "tokens=3" %%v in (mode.txt) do set /a mode=%%v',
    'if not %mode%==3 if not exist recovered.txt echo This is no directory services restore mode, and wbadmin has not run.',
    'if not %mode%==3 if not exist recovered.txt exit /b 1',
    'if not %mode%==3 goto prove',
    'if exist recovered.txt goto leave',
    `call ${commandWith(version, `"-backupTarget:${target}"`)}`,
    'set code=%ERRORLEVEL%',
    'if not %code%==0 echo wbadmin ended with %code%: it stays in directory services restore mode.',
    'if not %code%==0 exit /b 1',
    'echo done>recovered.txt',
    ':leave',
    'call bcdedit /deletevalue safeboot',
    'if %ERRORLEVEL%==0 goto restart',
    // The system state may have brought a boot store of its own, which never had the mode.
    'call bcdedit /enum {current} >entry.txt 2>nul',
    'if not %ERRORLEVEL%==0 goto stuck',
    'for /f "tokens=1" %%e in (entry.txt) do if /i "%%e"=="safeboot" goto stuck',
    'goto restart',
    ':stuck',
    'echo Directory services restore mode could not be taken back: bcdedit /deletevalue safeboot',
    'exit /b 1',
    ':restart',
    `exit /b ${restartRetry}`,
    ':prove',
    ...(copied === undefined ? [] : removeCopy(target, copied)),
  ];
}

/**
 * After a normal start: the copy has the directory in it, and nobody needs it any more. The note goes last, so that an
 * interrupted removal is gone on with. A backup that was made there since then is nobody's to remove, and the registry of
 * the backup may give the drive another letter. What is left is said, and the step goes on.
 */
function removeCopy(drive: string, { computer, backup }: CopiedBackup): string[] {
  const [note, folder, above] = [
    `${drive}\\${noteFile}`,
    `${drive}${copiedFolder(computer)}`,
    `${drive}${copiedFolder()}`,
  ];
  return [
    'if exist copy-removed.txt goto look',
    `if exist "${note}" goto remove`,
    `echo ${drive} has no note of a copied system state: look for ${noteFile} and ${copiedFolder(computer)} on the other drives, and remove both.`,
    'goto look',
    ':remove',
    `dir /b /ad "${folder}\\Backup *" >backups.txt 2>nul`,
    // Windows Server 2008 is said to keep them one folder deeper (images: find-backup.ts).
    `dir /b /ad "${folder}\\SystemStateBackup\\Backup *" >>backups.txt 2>nul`,
    `for /f "delims=" %%b in (backups.txt) do if /i not "%%b"=="${backup}" goto other`,
    `if exist "${folder}" rd /s /q "${folder}"`,
    `if exist "${folder}" goto left`,
    // Only when it is empty.
    `rd "${above}" 2>nul`,
    `del /f /q "${note}"`,
    `if exist "${note}" goto left`,
    'echo done>copy-removed.txt',
    `echo The copied system state was removed from ${drive}`,
    'goto look',
    ':other',
    `echo ${folder} has a newer backup than the copied system state, and was left as it is. Remove ${note} by hand.`,
    'goto look',
    ':left',
    `echo The copied system state could not be removed from ${drive} - remove ${folder} and ${note} by hand.`,
    ':look',
  ];
}
