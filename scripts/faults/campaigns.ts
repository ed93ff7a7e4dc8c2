import type { Campaign } from './campaign.ts';
import { killRestore } from './kill-restore.ts';

/** In the order in which `npm run faults` runs them. */
export const campaigns: readonly Campaign[] = [killRestore];
