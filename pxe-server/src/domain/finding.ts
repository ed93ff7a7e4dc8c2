/** One sign of a proof, in a sentence. */
export type Finding = readonly ['proved' | 'failed' | 'unverified', string];
