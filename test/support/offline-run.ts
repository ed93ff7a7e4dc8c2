import { hookPlanSchema } from '#contract/hook.ts';
import { stageFirstBoot } from '#runtime/first-boot/stage-first-boot.ts';
import type { OfflineRun } from '#runtime/hooks/run-offline-hooks.ts';
import { readFirstBootFile } from '#scripts/runtime/first-boot-files.ts';
import { captureKey } from './capture-image-of.ts';

/** The offline hooks of a server, after a restore with nothing special: what a test is about it puts over it. */
export const offlineRun = (hooks: readonly object[]): Omit<OfflineRun, 'openSystem'> => ({
  plan: hookPlanSchema.parse({ station: 'OS-SRV-1A', stationRole: 'server', hooks }),
  jobId: '11111111-2222-4333-8444-555555555555',
  ref: 'OS-SRV-1A@20261120T020000Z',
  manifest: { station: 'OS-SRV-1A', capturedAt: '2026-11-20T02:00:00Z', stationRole: 'server' } as never,
  store: { source: { kind: 'directory', path: '/nowhere' }, key: captureKey },
  earlier: [],
  material: {
    firstBootKey: 'ab'.repeat(32),
    servers: ['http://10.77.0.1:8080'],
    files: [],
    failed: [],
  },
  disks: [],
  networkCards: { image: [], machine: [] },
  stageFirstBoot: (system, staged) => stageFirstBoot(system, staged, readFirstBootFile),
  readFirstBootFile,
  say: () => {},
  now: () => new Date(),
});
