/** Damaged inputs from good ones: bits, numbers that break arithmetic, cuts, repeats, and pieces of another input. */

export type Random = () => number;

const below = (random: Random, limit: number): number => Math.floor(random() * limit);

/** Little-endian: zero, one, the edges of 8, 16, 32, 53 and 64 bits. */
const numbers = [
  ...[0n, 1n, 2n, 0x7fn, 0xffn, 0x7fffn, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x1_0000_0000n],
  ...[0x1f_ffff_ffff_ffffn, 0x20_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn],
];

/** Changes `bytes` where they are; one to four changes. */
export function mutateInPlace(bytes: Buffer, random: Random): void {
  for (let changes = 1 + below(random, 4); changes > 0 && bytes.length > 0; changes--) {
    const at = below(random, bytes.length);
    const kind = below(random, 3);
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
    else if (kind === 1) bytes[at] = below(random, 256);
    else writeNumber(bytes, at, random);
  }
}

function writeNumber(bytes: Buffer, at: number, random: Random): void {
  const width = [1, 2, 4, 8][below(random, 4)] ?? 1;
  const start = at - (at % width);
  const value = numbers[below(random, numbers.length)] ?? 0n;
  for (let byte = 0; byte < width && start + byte < bytes.length; byte++) {
    bytes[start + byte] = Number((value >> BigInt(byte * 8)) & 0xffn);
  }
}

/** A damaged copy, sometimes of another length. */
export function mutateBytes(good: Uint8Array, others: readonly Uint8Array[], random: Random): Buffer {
  let bytes: Buffer = Buffer.from(good);
  switch (below(random, 8)) {
    case 0:
      bytes = bytes.subarray(0, below(random, bytes.length + 1));
      break;
    case 1: {
      const [from, to] = [below(random, bytes.length), below(random, bytes.length)].sort((a, b) => a - b);
      bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
      break;
    }
    case 2: {
      const other = others[below(random, others.length)] ?? good;
      bytes = Buffer.concat([
        bytes.subarray(0, below(random, bytes.length)),
        other.subarray(below(random, other.length)),
      ]);
      break;
    }
    default:
      mutateInPlace(bytes, random);
  }
  return bytes;
}

const strangeValues: readonly unknown[] = [
  ...[null, true, 0, -1, 1e300, 2 ** 53, 0.5, '', '../../etc/passwd', '/dev/sda', '\u0000', '__proto__'],
  ...['a'.repeat(5000), [], {}, [[[[[[]]]]]], { __proto__: null, constructor: 1 }, '2026-99-99T00:00:00Z'],
];

/** One value somewhere in a JSON document replaced, removed, doubled or renamed. */
export function mutateJson(text: string, random: Random): string {
  const root: unknown = JSON.parse(text);
  const places: [Record<string, unknown>, string][] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push([value as Record<string, unknown>, key]);
      walk((value as Record<string, unknown>)[key]);
    }
  };
  walk(root);
  const [owner, key] = places[below(random, places.length)] ?? [];
  if (owner === undefined || key === undefined) return text;
  switch (below(random, 4)) {
    case 0:
      delete owner[key];
      break;
    case 1:
      owner[`${key}x`] = owner[key];
      break;
    case 2: {
      const value = owner[key];
      owner[key] = Array.isArray(value) ? [...value, ...value] : [value];
      break;
    }
    default:
      owner[key] = strangeValues[below(random, strangeValues.length)];
  }
  return JSON.stringify(root);
}
