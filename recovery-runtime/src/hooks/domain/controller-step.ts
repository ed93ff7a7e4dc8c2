import { ownReportEvidence } from '#contract/domain-files.ts';
import { stepExitCodes } from '#contract/first-boot.ts';
import type { SystemState } from '#contract/hook-kinds/domain-controller.ts';

/** Name of the first-boot step's file. */
export const controllerStepFile = 'domain-controller.cmd';

const { retry, restartRetry } = stepExitCodes;
/** How often event 1109 is looked for, every `retrySeconds`, before it counts as absent. */
const looks = 40;
export const controllerRetrySeconds = 15;
/** wbadmin's restart, and what a person's own restarts cost, come on top. */
export const controllerTries = looks + 20;
/** wbadmin copies the whole system state. */
export const wbadminSeconds = 7200;

/** A day, in milliseconds, as the event log's query has it: the image holds events of earlier restores. */
const recent = 'TimeCreated[timediff(@SystemTime) <= 86400000]';
const parameters = 'HKLM\\SYSTEM\\CurrentControlSet\\Services\\NTDS\\Parameters';

/**
 * On the restored controller: in directory services restore mode wbadmin restores the system state, and the mode is
 * taken back only when it says that it has; after a normal start, the controller's own word on its new invocationId.
 * Names and options of the tools are those of Windows Server 2008 R2 and later. What the answer means, the service
 * judges (hook `domain-controller`, confirm).
 */
export function formatControllerStep(state: SystemState): string {
  return [
    '@echo off',
    ...(state.from === 'backup' ? restoreSystemState(state) : []),
    ...proveNewInvocation(),
    '',
  ].join('\r\n');
}

/** SAFEBOOT_DSREPAIR is 3 in `OptionValue`, a key that only a safe start has. */
function restoreSystemState({ version, target }: SystemState & { from: 'backup' }): string[] {
  return [
    'call reg query HKLM\\SYSTEM\\CurrentControlSet\\Control\\SafeBoot\\Option /v OptionValue >mode.txt 2>nul',
    'set mode=0',
    'for /f "tokens=3" %%v in (mode.txt) do set /a mode=%%v',
    'if not %mode%==3 if not exist recovered.txt echo This is no directory services restore mode, and wbadmin has not run.',
    'if not %mode%==3 if not exist recovered.txt exit /b 1',
    'if not %mode%==3 goto prove',
    'if exist recovered.txt goto leave',
    `call wbadmin start systemstaterecovery -version:${version} "-backupTarget:${target}" -quiet`,
    'set code=%ERRORLEVEL%',
    'if not %code%==0 echo wbadmin ended with %code%: it stays in directory services restore mode.',
    'if not %code%==0 exit /b 1',
    'echo done>recovered.txt',
    ':leave',
    'call bcdedit /deletevalue safeboot',
    'if not %ERRORLEVEL%==0 echo Directory services restore mode could not be taken back: bcdedit /deletevalue safeboot',
    'if not %ERRORLEVEL%==0 exit /b 1',
    `exit /b ${restartRetry}`,
    ':prove',
  ];
}

function proveNewInvocation(): string[] {
  const event = (number: 1109 | 2095) => [
    `set e${number}=no`,
    `call wevtutil qe "Directory Service" "/q:*[System[(EventID=${number}) and ${recent}]]" /c:1 /f:text >e${number}.txt 2>nul`,
    `for %%f in (e${number}.txt) do if not %%~zf==0 set e${number}=yes`,
  ];
  const evidence: readonly (readonly [string, string])[] = [
    [ownReportEvidence.event1109, '%e1109%'],
    [ownReportEvidence.event2095, '%e2095%'],
    [ownReportEvidence.notWritable, '%closed%'],
    [ownReportEvidence.restoreCount, '%count%'],
  ];
  const answer = JSON.stringify({
    result: {
      outcome: 'unverified',
      sentence: 'The controller has looked at itself; the service asks its partners.',
    },
    evidence: evidence.map(([name, value]) => ({ name, value })),
  });
  return [
    'set looks=0',
    'if exist looks.txt for /f %%n in (looks.txt) do set looks=%%n',
    'set /a looks=%looks%+1',
    '>looks.txt echo %looks%',
    ...event(1109),
    ...event(2095),
    `if %e1109%==no if %e2095%==no if %looks% LSS ${looks} exit /b ${retry}`,
    'set closed=no',
    `call reg query ${parameters} /v "Dsa Not Writable" >nul 2>nul`,
    'if %ERRORLEVEL%==0 set closed=yes',
    'set count=0',
    `call reg query ${parameters} /v "DSA Previous Restore Count" >count.txt 2>nul`,
    'for /f "tokens=6" %%v in (count.txt) do set /a count=%%v',
    `echo ${answer}`,
    'exit /b 0',
  ];
}
