import { RekindleError } from '#base/errors.ts';
import type { RestoredSystem } from '../hooks/restored-system.ts';
import type { StagedFirstBoot } from '../hooks/run-offline-hooks.ts';
import { stageLinux, verifyLinux } from './linux/stage-linux.ts';
import { stageWindows, wrapperOf } from './windows/stage-windows.ts';

/** Files that the runtime brings along for restored systems. */
export const firstBootFiles = [
  'linux/agent.sh',
  'linux/busybox',
  'windows/agent.js',
  'windows/network-order.js',
  'windows/controller.js',
  'windows/run.cmd',
  'windows/remove.cmd',
  'windows/nssm.exe',
  'windows/nssm64.exe',
] as const;
export type FirstBootFile = (typeof firstBootFiles)[number];

/** @throws RekindleError when it is not staged as it should be */
export async function stageFirstBoot(
  system: RestoredSystem,
  { plan, key, files }: StagedFirstBoot,
  read: (file: FirstBootFile) => Promise<Uint8Array>,
): Promise<void> {
  switch (system.kind) {
    case 'linux': {
      const [agent, busybox] = await Promise.all([read('linux/agent.sh'), read('linux/busybox')]);
      const staging = { root: system.root, plan, key, files, agent, busybox };
      stageLinux(staging);
      verifyLinux(staging);
      return;
    }
    case 'windows': {
      const [agent, runStep, remover, wrapper] = await Promise.all([
        read('windows/agent.js'),
        read('windows/run.cmd'),
        read('windows/remove.cmd'),
        read(`windows/${wrapperOf(system)}`),
      ]);
      await stageWindows(system, { plan, key, files, agent, runStep, remover, wrapper });
      return;
    }
    case 'unknown':
      throw new RekindleError('unexpected', 'staging the first boot', { cause: new Error(system.reason) });
  }
}
