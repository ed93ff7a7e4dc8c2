/** Small questions about bytes that several folders ask. */

const zeros = Buffer.alloc(1 << 20);

export function isAllZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (zeros.compare(part, 0, part.length, 0, part.length) !== 0) return false;
  }
  return true;
}

/** "1.5 GiB", "512 bytes": for sentences, never for arithmetic. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return unit === 0 || Number.isInteger(value)
    ? `${value} ${units[unit]}`
    : `${value.toFixed(1)} ${units[unit]}`;
}
