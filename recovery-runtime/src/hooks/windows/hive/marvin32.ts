/** Seed of the hashes in registry logs: the number 0x82EF4D887A4E55C5, low word first. */
const seed = [0x7a4e55c5, 0x82ef4d88] as const;

/** Marvin32 of `bytes`, as the 64-bit number that a log entry holds. */
export function marvin32(bytes: Buffer): bigint {
  let [low, high]: [number, number] = [seed[0], seed[1]];
  const mix = (word: number): void => {
    low = (low + word) >>> 0;
    high ^= low;
    low = (rotateLeft(low, 20) + high) >>> 0;
    high = rotateLeft(high, 9) ^ low;
    low = (rotateLeft(low, 27) + high) >>> 0;
    high = rotateLeft(high, 19);
  };
  const whole = bytes.length - (bytes.length % 4);
  for (let at = 0; at < whole; at += 4) mix(bytes.readUInt32LE(at));
  // What is left over, ended by a byte 0x80.
  const last = Buffer.alloc(4);
  bytes.copy(last, 0, whole);
  last[bytes.length - whole] = 0x80;
  mix(last.readUInt32LE(0));
  mix(0);
  return (BigInt(high >>> 0) << 32n) | BigInt(low);
}

function rotateLeft(value: number, bits: number): number {
  return ((value << bits) | (value >>> (32 - bits))) >>> 0;
}
