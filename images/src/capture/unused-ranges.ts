import { type ByteRange, endOf } from '../format/chunk-grid.ts';

/** Unused ranges of a whole disk as flat pairs of start and end on shared memory, ascending, what touches joined. */
export function flattenUnused(ranges: readonly ByteRange[]): Float64Array {
  const sorted = [...ranges].sort((a, b) => a.startByte - b.startByte);
  const joined: { start: number; end: number }[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && range.startByte <= last.end) last.end = Math.max(last.end, endOf(range));
    else joined.push({ start: range.startByte, end: endOf(range) });
  }
  const flat = new Float64Array(new SharedArrayBuffer(joined.length * 16));
  for (const [number, { start, end }] of joined.entries()) {
    flat[number * 2] = start;
    flat[number * 2 + 1] = end;
  }
  return flat;
}

/** The parts of `chunk` that are unused. */
export function unusedWithin(flat: Float64Array, chunk: ByteRange): ByteRange[] {
  let low = 0;
  for (let high = flat.length / 2; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((flat[middle * 2 + 1] ?? 0) <= chunk.startByte) low = middle + 1;
    else high = middle;
  }
  const found: ByteRange[] = [];
  for (let pair = low; pair * 2 < flat.length; pair++) {
    const start = Math.max(flat[pair * 2] ?? 0, chunk.startByte);
    const end = Math.min(flat[pair * 2 + 1] ?? 0, endOf(chunk));
    if (start >= endOf(chunk)) break;
    if (end > start) found.push({ startByte: start, sizeBytes: end - start });
  }
  return found;
}
