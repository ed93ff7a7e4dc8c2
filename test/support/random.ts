/** Numbers in [0, 1) from a seed, the same on every run (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `bytes` with one to eight bytes changed, and sometimes cut short or made longer. */
export function mutate(bytes: Uint8Array, random: () => number): Buffer {
  const below = (limit: number) => Math.floor(random() * limit);
  let mutated = Buffer.from(bytes);
  for (let changes = 1 + below(8); changes > 0; changes--) mutated[below(mutated.length)] = below(256);
  const kind = below(8);
  if (kind === 0) mutated = mutated.subarray(0, below(mutated.length));
  if (kind === 1)
    mutated = Buffer.concat([mutated, Buffer.from(Array.from({ length: below(64) }, () => below(256)))]);
  return mutated;
}
