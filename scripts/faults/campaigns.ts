import { bitFlips } from './bit-flips.ts';
import type { Campaign } from './campaign.ts';
import { casyncBothWays } from './casync-both-ways.ts';
import { damagedStore } from './damaged-store.ts';
import { failingCalls } from './failing-calls.ts';
import { failingDisk } from './failing-disk.ts';
import { failingStore } from './failing-store.ts';
import { fuzzParsers } from './fuzz-parsers.ts';
import { killCapture } from './kill-capture.ts';
import { killCopy } from './kill-copy.ts';
import { killGc } from './kill-gc.ts';
import { killPrune } from './kill-prune.ts';
import { killRestore } from './kill-restore.ts';
import { killedServer } from './killed-server.ts';
import { netboot } from './netboot.ts';
import { powerCutStore } from './power-cut-store.ts';
import { powerCutTarget } from './power-cut-target.ts';

/** In the order in which `npm run faults` runs them. */
export const campaigns: readonly Campaign[] = [
  killRestore,
  killCapture,
  killGc,
  killPrune,
  killCopy,
  powerCutTarget,
  powerCutStore,
  failingCalls,
  failingDisk,
  failingStore,
  killedServer,
  bitFlips,
  damagedStore,
  casyncBothWays,
  fuzzParsers,
  netboot,
];
