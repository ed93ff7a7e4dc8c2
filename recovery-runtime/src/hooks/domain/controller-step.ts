import { stepExitCodes } from '#contract/first-boot.ts';
import type { SystemState } from '#contract/hook-kinds/domain-controller.ts';
import type { HeldService } from './held-services.ts';
import type { ControllerHive } from './read-controller.ts';

/** Names of the first-boot step's files; the program reads the settings (first-boot/windows/agent/controller). */
export const controllerStepFile = 'domain-controller.cmd';
export const controllerProgramFile = 'domain-controller.js';
export const controllerSettingsFile = 'domain-controller.txt';

const { restartRetry } = stepExitCodes;
export const controllerRetrySeconds = 15;
/**
 * The program's own looks (40 for the proof, 40 for SYSVOL, 10 each for the directory, event 4114 and the way back), its
 * restarts, and what a person's own restarts cost.
 */
export const controllerTries = 130;
/** One try: event log and directory may be slow while Windows starts. */
export const lookSeconds = 900;
/** wbadmin copies the whole system state. */
export const wbadminSeconds = 7200;
/** Between two looks whether SYSVOL has come, on top of `controllerRetrySeconds`. */
const sysvolPauseSeconds = 45;

/** What the program cannot find out after the start: the image's own state, and what does not start by our doing. */
export function formatControllerSettings(settings: {
  /** Undefined: wbadmin brings back another registry, whose count is not known. */
  readonly restoreCountBefore: number | undefined;
  /** Of the image; undefined: nobody could be asked when it was taken. */
  readonly invocationId: string | undefined;
  /** Which service takes SYSVOL from a partner in this step; undefined: none does. */
  readonly sysvol: ControllerHive['sysvol'] | undefined;
  readonly network: readonly HeldService[];
  readonly dfsr: readonly HeldService[];
}): string {
  const held = (kind: string, services: readonly HeldService[]) =>
    services.map(({ service, start }) => `hold-${kind}=${start} ${service}`);
  return [
    `restoreCountBefore=${settings.restoreCountBefore ?? ''}`,
    `invocationId=${settings.invocationId ?? ''}`,
    `sysvol=${settings.sysvol ?? ''}`,
    `sysvolPauseSeconds=${sysvolPauseSeconds}`,
    ...held('network', settings.network),
    ...held('sysvol', settings.dfsr),
    '',
  ].join('\r\n');
}

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
    // By its path: nothing in PATH may stand in for it. The program ends with the step's exit code.
    `"%SystemRoot%\\System32\\cscript.exe" //NoLogo "%CD%\\${controllerProgramFile}"`,
    'exit /b %ERRORLEVEL%',
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
    `call wbadmin start systemstaterecovery -version:${version} "-backupTarget:${target}" -machine:%COMPUTERNAME% -quiet`,
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
