/** GUIDs as UEFI 2.10, appendix A stores them: the first three fields little-endian. */

export function parseGuid(bytes: Uint8Array): string {
  const at = Buffer.from(bytes);
  const first = at.readUInt32LE(0).toString(16).padStart(8, '0');
  const second = at.readUInt16LE(4).toString(16).padStart(4, '0');
  const third = at.readUInt16LE(6).toString(16).padStart(4, '0');
  return `${first}-${second}-${third}-${at.toString('hex', 8, 10)}-${at.toString('hex', 10, 16)}`.toUpperCase();
}

/** The 16 bytes of a GUID as `parseGuid` writes it. */
export function parseGuidText(guid: string): Buffer {
  const bytes = Buffer.from(guid.replaceAll('-', ''), 'hex');
  if (bytes.length !== 16) throw new RangeError(`"${guid}" is no GUID`);
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
