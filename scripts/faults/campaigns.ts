import { bitFlips } from './bit-flips.ts';
import type { Campaign } from './campaign.ts';
import { damagedStore } from './damaged-store.ts';
import { killRestore } from './kill-restore.ts';

/** In the order in which `npm run faults` runs them. */
export const campaigns: readonly Campaign[] = [killRestore, bitFlips, damagedStore];
