import { bitFlips } from './bit-flips.ts';
import type { Campaign } from './campaign.ts';
import { damagedStore } from './damaged-store.ts';
import { failingCalls } from './failing-calls.ts';
import { killCapture } from './kill-capture.ts';
import { killRestore } from './kill-restore.ts';
import { killedServer } from './killed-server.ts';
import { netboot } from './netboot.ts';
import { powerCutStore } from './power-cut-store.ts';
import { powerCutTarget } from './power-cut-target.ts';

/** In the order in which `npm run faults` runs them. */
export const campaigns: readonly Campaign[] = [
  killRestore,
  killCapture,
  powerCutTarget,
  powerCutStore,
  failingCalls,
  killedServer,
  bitFlips,
  damagedStore,
  netboot,
];
