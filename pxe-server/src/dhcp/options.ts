import { optionCode } from './option-code.ts';

/** Option number to value. Repeated options are already joined (RFC 3396); order is the order of first use. */
export type DhcpOptions = ReadonlyMap<number, Uint8Array>;

/**
 * Reads one option field and joins its options to `options`. Returns a reason when an option's length runs
 * over the end of the field. A field that ends without END is accepted: some clients fill it to the last byte.
 */
export function readOptions(
  field: Uint8Array,
  name: string,
  options: Map<number, Uint8Array>,
): string | undefined {
  let offset = 0;
  while (offset < field.length) {
    const code = field[offset++] ?? 0;
    if (code === optionCode.pad) continue;
    if (code === optionCode.end) return undefined;
    const length = field[offset++];
    if (length === undefined) return `option ${code} in ${name} has no length`;
    if (offset + length > field.length) {
      return `option ${code} in ${name} says ${length} bytes, ${field.length - offset} are left`;
    }
    const value = field.subarray(offset, offset + length);
    const before = options.get(code);
    options.set(code, before === undefined ? value : Buffer.concat([before, value]));
    offset += length;
  }
  return undefined;
}

/** Bytes on the wire, with a header for every 255 bytes of value. */
export function encodedLength(value: Uint8Array): number {
  return value.length + 2 * Math.max(1, Math.ceil(value.length / 255));
}

/** Bytes that `writeOptions` writes, END among them. */
export function optionsLength(options: DhcpOptions): number {
  let length = 1;
  for (const value of options.values()) length += encodedLength(value);
  return length;
}

/** Options with END, values over 255 bytes split into several of the same number (RFC 3396 section 5). */
export function writeOptions(bytes: Uint8Array, offset: number, options: DhcpOptions): void {
  let at = offset;
  for (const [code, value] of options) {
    let written = 0;
    do {
      const end = Math.min(value.length, written + 255);
      bytes[at++] = code;
      bytes[at++] = end - written;
      // Not `set` of a part: most values are four bytes.
      while (written < end) bytes[at++] = value[written++] ?? 0;
    } while (written < value.length);
  }
  bytes[at] = optionCode.end;
}
