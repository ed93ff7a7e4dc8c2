import { RekindleError } from '#base/errors.ts';
import type { WindowsSystem } from '../../hooks/restored-system.ts';
import { type StagedService, servicePatch } from '../../hooks/windows/first-boot/service-patch.ts';
import { stagedFilesWrong, stageFiles } from '../../hooks/windows/first-boot/stage-files.ts';
import { findPath } from '../../hooks/windows/volume/find-path.ts';
import { stagedAgent, type WindowsStaging } from './staged-agent.ts';

const folderName = 'Rekindle';
const folder = `%SystemRoot%\\${folderName}`;

/** Started with Windows as LocalSystem; also in directory services restore mode, where a controller is repaired. */
export const firstBootService: StagedService = {
  // agent/main.ts removes it by this name.
  name: 'RekindleFirstBoot',
  displayName: 'Rekindle: what follows the restore',
  description: 'Runs the steps that were staged when this station was restored, and removes itself.',
  wrapper: `${folder}\\nssm.exe`,
  application: '%SystemRoot%\\System32\\cscript.exe',
  arguments: `//NoLogo "${folder}\\agent.js"`,
  // Not its own folder: that one could not go while a program's current folder is in it.
  folder: '%SystemRoot%',
  log: `${folder}\\wrapper.log`,
  inSafeMode: true,
};

/** The 32-bit wrapper would start 32-bit programs, and Windows has djoin and bcdedit as 64-bit ones only. */
export function wrapperOf(system: Pick<WindowsSystem, 'root' | 'systemRoot'>): 'nssm.exe' | 'nssm64.exe' {
  return findPath(system.root, `${system.systemRoot}\\SysWOW64`).kind === 'found' ? 'nssm64.exe' : 'nssm.exe';
}

/** Puts the agent and its service into a restored Windows. Twice is like once. @throws RekindleError */
export async function stageWindows(system: WindowsSystem, staging: WindowsStaging): Promise<void> {
  const files = stagedAgent(staging);
  const patch = servicePatch(system.controlSet, firstBootService);
  const target = `${system.systemRoot}\\${folderName}`;
  // The files first: there is no moment in which Windows would start a service that is not there.
  stageFiles(system.root, target, files);
  await system.changeHive('SYSTEM', patch);
  await system.remount();
  const wrong = [
    ...stagedFilesWrong(system.root, target, files),
    ...(await system.missingInHive('SYSTEM', patch)).map((edit) => `the registry lacks ${edit}`),
  ];
  if (wrong.length === 0) return;
  throw new RekindleError('verification-failed', 'reading back what was staged for the first boot', {
    cause: new Error(wrong.join('; ')),
  });
}
