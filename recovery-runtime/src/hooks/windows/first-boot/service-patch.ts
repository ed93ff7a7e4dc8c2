import type { HivePatch } from '../registry/hive-patch.ts';

/** A program that Windows' service manager starts at every start, until it removes itself. */
export interface StagedService {
  /** Key below Services: letters and digits. */
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  /** The wrapper (nssm), which speaks the service manager's protocol. Windows path; %SystemRoot% may be in it. */
  readonly wrapper: string;
  /** What the wrapper runs, with its arguments and folder. */
  readonly application: string;
  readonly arguments: string;
  readonly folder: string;
  readonly log: string;
  /** Also in safe mode and directory services restore mode, where only listed services start. */
  readonly inSafeMode: boolean;
}

const ownProcess = 0x10;
const automatic = 2;
const normalError = 1;

/**
 * The service as `nssm install` would leave it: as LocalSystem, started with Windows, over when its program says so.
 * @param controlSet `ControlSet001` in a hive, `CurrentControlSet` in a .reg file
 */
export function servicePatch(controlSet: string, service: StagedService): HivePatch {
  const key = `${controlSet}\\Services\\${service.name}`;
  const text = (at: string, name: string, value: string, type: 'string' | 'expand-string' = 'string') =>
    ({ kind: 'value', key: at, name, value: { type, value } }) as const;
  const number = (at: string, name: string, value: number) =>
    ({ kind: 'value', key: at, name, value: { type: 'dword', value } }) as const;
  const parameters = `${key}\\Parameters`;
  const safeMode = service.inSafeMode ? ['Minimal', 'Network'] : [];
  return [
    number(key, 'Type', ownProcess),
    number(key, 'Start', automatic),
    number(key, 'ErrorControl', normalError),
    text(key, 'ImagePath', service.wrapper, 'expand-string'),
    text(key, 'ObjectName', 'LocalSystem'),
    text(key, 'DisplayName', service.displayName),
    text(key, 'Description', service.description),
    text(parameters, 'Application', service.application, 'expand-string'),
    text(parameters, 'AppParameters', service.arguments, 'expand-string'),
    text(parameters, 'AppDirectory', service.folder, 'expand-string'),
    text(parameters, 'AppStdout', service.log, 'expand-string'),
    text(parameters, 'AppStderr', service.log, 'expand-string'),
    // Ended with 0 it is over until Windows starts again; killed, it goes on where it was.
    text(`${parameters}\\AppExit`, '', 'Restart'),
    text(`${parameters}\\AppExit`, '0', 'Exit'),
    ...safeMode.map((mode) =>
      text(`${controlSet}\\Control\\SafeBoot\\${mode}\\${service.name}`, '', 'Service'),
    ),
  ];
}
