/**
 * Chunk ids by the million: 32 bytes each in one array, found through an open-addressing table of 4-byte numbers.
 * A `Set` of hex texts takes three times the memory and stalls the garbage collector.
 *
 * Ids are SHA-256, so their first bytes are as good as any hash. An id's number is its place in order of adding.
 */
export interface ChunkIdSet {
  readonly size: number;
  /** The id's number, new or not. @param words ids as 8 words each @param at number of the id in `words` */
  add(words: Uint32Array, at: number): number;
  /** The id's number, or -1. */
  find(words: Uint32Array, at: number): number;
  addHex(id: string): number;
  /** -1 for what is no id at all, too. */
  findHex(id: string): number;
  hexOf(number: number): string;
  /** 8 words an id, on shared memory, in order of adding; as it is now. */
  words(): Uint32Array;
}

const wordsOfId = 8;
const smallest = 1024;

export function createChunkIdSet(expected = 0): ChunkIdSet {
  let capacity = smallest;
  while (capacity < expected) capacity *= 2;
  let ids = new Uint32Array(new SharedArrayBuffer(capacity * wordsOfId * 4));
  /** Number + 1 of the id at this place, 0 when free. Half of it stays free. */
  let table = new Uint32Array(capacity * 2);
  let size = 0;
  const scratch = new Uint32Array(wordsOfId);
  const scratchBytes = Buffer.from(scratch.buffer);

  const placeOf = (words: Uint32Array, base: number): number => {
    const mask = table.length - 1;
    let place = (words[base] ?? 0) & mask;
    for (;;) {
      const entry = table[place] ?? 0;
      if (entry === 0 || isSame(ids, (entry - 1) * wordsOfId, words, base)) return place;
      place = (place + 1) & mask;
    }
  };
  const grow = (): void => {
    capacity *= 2;
    const larger = new Uint32Array(new SharedArrayBuffer(capacity * wordsOfId * 4));
    larger.set(ids);
    ids = larger;
    table = new Uint32Array(capacity * 2);
    for (let number = 0; number < size; number++) table[placeOf(ids, number * wordsOfId)] = number + 1;
  };
  const parseHex = (id: string): boolean => id.length === 64 && scratchBytes.write(id, 0, 'hex') === 32;

  const set: ChunkIdSet = {
    get size() {
      return size;
    },
    add(words, at) {
      const base = at * wordsOfId;
      const place = placeOf(words, base);
      const entry = table[place] ?? 0;
      if (entry !== 0) return entry - 1;
      const number = size++;
      table[place] = number + 1;
      for (let word = 0; word < wordsOfId; word++)
        ids[number * wordsOfId + word] = words[base + word] as number;
      if (size === capacity) grow();
      return number;
    },
    find(words, at) {
      return (table[placeOf(words, at * wordsOfId)] ?? 0) - 1;
    },
    addHex(id) {
      if (!parseHex(id)) throw new RangeError(`"${id}" is no chunk id`);
      return set.add(scratch, 0);
    },
    findHex(id) {
      return parseHex(id) ? set.find(scratch, 0) : -1;
    },
    hexOf(number) {
      return hexOfWords(ids, number);
    },
    words() {
      return ids.subarray(0, size * wordsOfId);
    },
  };
  return set;
}

export function hexOfWords(words: Uint32Array, number: number): string {
  return Buffer.from(words.buffer, words.byteOffset + number * 32, 32).toString('hex');
}

/** Ids of 32 bytes each as words; a copy only where they do not lie on a word's boundary. */
export function wordsOf(ids: Uint8Array): Uint32Array {
  const count = Math.floor(ids.byteLength / 32) * wordsOfId;
  if (ids.byteOffset % 4 === 0) return new Uint32Array(ids.buffer, ids.byteOffset, count);
  return new Uint32Array(Uint8Array.from(ids).buffer, 0, count);
}

function isSame(a: Uint32Array, atA: number, b: Uint32Array, atB: number): boolean {
  for (let word = 0; word < wordsOfId; word++) if (a[atA + word] !== b[atB + word]) return false;
  return true;
}
