import { RekindleError } from '#base/errors.ts';
import type { RestoredSystem } from '../hooks/restored-system.ts';
import type { StagedFirstBoot } from '../hooks/run-offline-hooks.ts';
import { stageLinux, verifyLinux } from './linux/stage-linux.ts';

/** Files that the runtime brings along for restored systems. */
export type FirstBootFile = 'linux/agent.sh' | 'linux/busybox';

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
    case 'windows':
    case 'unknown':
      throw new RekindleError('unexpected', 'staging the first boot', {
        cause: new Error(system.kind === 'unknown' ? system.reason : 'this runtime has no agent for Windows'),
      });
  }
}
