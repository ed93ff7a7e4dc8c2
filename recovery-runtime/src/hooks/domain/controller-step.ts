import type { HeldService } from './held-services.ts';
import type { ControllerHive } from './read-controller.ts';
import { recoverByWbadmin, type WbadminRecovery } from './wbadmin-recovery.ts';

/** Names of the first-boot step's files; the program reads the settings (first-boot/windows/agent/controller). */
export const controllerStepFile = 'domain-controller.cmd';
export const controllerProgramFile = 'domain-controller.js';
export const controllerSettingsFile = 'domain-controller.txt';

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
 * On the restored controller: in directory services restore mode wbadmin restores the system state; after a normal start,
 * the controller's own word on its new invocationId. Names and options of the tools are those of Windows Server 2008 R2
 * and later. What the answer means, the service judges (hook `domain-controller`, confirm).
 * @param recovery undefined: there is no backup
 */
export function formatControllerStep(recovery: WbadminRecovery | undefined): string {
  return [
    '@echo off',
    ...(recovery === undefined ? [] : recoverByWbadmin(recovery)),
    // By its path: nothing in PATH may stand in for it. The program ends with the step's exit code.
    `"%SystemRoot%\\System32\\cscript.exe" //NoLogo "%CD%\\${controllerProgramFile}"`,
    'exit /b %ERRORLEVEL%',
    '',
  ].join('\r\n');
}
