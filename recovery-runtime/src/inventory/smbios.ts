/**
 * Reader of the SMBIOS structure table (DMTF DSP0134, 6.1 and 7.18): the size of the memory that is
 * plugged in. The kernel's own count lacks what firmware keeps for itself and changes with its set-up.
 */

const memoryDevice = 17;
const endOfTable = 127;

/** Sum over all memory devices in bytes; undefined when the table lists none. */
export function parseInstalledMemory(table: Uint8Array): number | undefined {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  let total = 0;
  for (let at = 0; at + 4 <= table.length; ) {
    const type = table[at];
    const length = table[at + 1] ?? 0;
    if (type === endOfTable || length < 4 || at + length > table.length) break;
    if (type === memoryDevice && length >= 0x0e) total += memoryDeviceBytes(view, at, length);
    at = afterStrings(table, at + length);
  }
  return total === 0 ? undefined : total;
}

function memoryDeviceBytes(view: DataView, at: number, length: number): number {
  const size = view.getUint16(at + 0x0c, true);
  if (size === 0 || size === 0xffff) return 0;
  // 7FFFh: the size did not fit and is in the extended field, in MiB.
  if (size === 0x7fff) return length >= 0x20 ? (view.getUint32(at + 0x1c, true) & 0x7fffffff) * 2 ** 20 : 0;
  return size & 0x8000 ? (size & 0x7fff) * 2 ** 10 : size * 2 ** 20;
}

/** The strings of a structure end with two zero bytes. */
function afterStrings(table: Uint8Array, at: number): number {
  let end = at;
  while (end + 1 < table.length && (table[end] !== 0 || table[end + 1] !== 0)) end++;
  return end + 2;
}
