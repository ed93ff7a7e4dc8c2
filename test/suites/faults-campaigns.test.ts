import { expect, test } from 'vitest';
import { bitFlips } from '#scripts/faults/bit-flips.ts';
import type { Campaign } from '#scripts/faults/campaign.ts';
import { casyncBothWays } from '#scripts/faults/casync-both-ways.ts';
import { damagedStore } from '#scripts/faults/damaged-store.ts';
import { failingCalls } from '#scripts/faults/failing-calls.ts';
import { failingDisk } from '#scripts/faults/failing-disk.ts';
import { failingStore } from '#scripts/faults/failing-store.ts';
import { killCapture } from '#scripts/faults/kill-capture.ts';
import { killCopy } from '#scripts/faults/kill-copy.ts';
import { killGc } from '#scripts/faults/kill-gc.ts';
import { killPrune } from '#scripts/faults/kill-prune.ts';
import { killRestore } from '#scripts/faults/kill-restore.ts';
import { killedServer } from '#scripts/faults/killed-server.ts';
import { netboot } from '#scripts/faults/netboot.ts';
import { powerCutStore } from '#scripts/faults/power-cut-store.ts';
import { powerCutTarget } from '#scripts/faults/power-cut-target.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';

/** A few points of each campaign of `npm run faults`; all of them, and how they ended, are in docs/reliability.md. */
const some: readonly (readonly [Campaign, number])[] = [
  [killRestore, 2],
  [killCapture, 3],
  [killGc, 3],
  [killPrune, 4],
  [killCopy, 4],
  [powerCutTarget, 2],
  [powerCutStore, 6],
  [failingCalls, 2],
  [failingDisk, 3],
  [failingStore, 2],
  [killedServer, 3],
  [bitFlips, 8],
  [damagedStore, 3],
  [casyncBothWays, 3],
  [netboot, 1000],
];

test.each(some.map(([campaign, limit]) => ({ campaign, limit, name: campaign.name, goal: campaign.goal })))(
  '$name: $goal',
  { timeout: 180_000 },
  async ({ campaign, limit }) => {
    using folder = makeTemporaryFolder();
    const result = await campaign.run({ folder: folder.path, seed: 1, limit, progress: () => {} });
    expect(result.violations).toEqual([]);
    expect(result.points).toBeGreaterThan(0);
  },
);
