import { stepExitCodes } from '#contract/first-boot.ts';

/** Names of the files of the first-boot step. */
export const clearScriptFile = 'clear-management-data.sql';
export const clearStepFile = 'clear-management-data.cmd';

const { retry } = stepExitCodes;

/**
 * Waits for the instance, runs the script, and prints what it says. sqlcmd comes with SQL Server; `-b` makes an error
 * an exit code, `-h -1 -W -w` leave the lines as they are. What they mean, the service judges (contract/sql-results.ts).
 */
export function formatSqlcmdStep(instance: string): string {
  const isDefault = instance.toUpperCase() === 'MSSQLSERVER';
  const server = isDefault ? '.' : `.\\${instance}`;
  const serviceName = isDefault ? instance : `MSSQL$${instance}`;
  const sqlcmd = `call sqlcmd -S ${server} -E -l 15 -b`;
  return [
    '@echo off',
    'set found=',
    'for %%p in (sqlcmd.exe sqlcmd.cmd) do if not "%%~$PATH:p"=="" set found=yes',
    'if "%found%"=="" echo There is no sqlcmd on this station.',
    'if "%found%"=="" exit /b 1',
    `${sqlcmd} -Q "SET NOCOUNT ON" >connect.txt 2>&1`,
    'set code=%ERRORLEVEL%',
    'if not %code%==0 type connect.txt',
    `if not %code%==0 echo The service ${serviceName} does not take connections yet.`,
    `if not %code%==0 exit /b ${retry}`,
    `${sqlcmd} -h -1 -W -w 8000 -i ${clearScriptFile} >result.txt 2>&1`,
    'set code=%ERRORLEVEL%',
    'type result.txt',
    'if not %code%==0 exit /b 1',
    'exit /b 0',
    '',
  ].join('\r\n');
}
