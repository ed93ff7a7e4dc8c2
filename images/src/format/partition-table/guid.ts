/** GUIDs as UEFI 2.10, appendix A stores them: the first three fields little-endian. */

export function parseGuid(bytes: Uint8Array): string {
  const at = Buffer.from(bytes);
  const first = at.readUInt32LE(0).toString(16).padStart(8, '0');
  const second = at.readUInt16LE(4).toString(16).padStart(4, '0');
  const third = at.readUInt16LE(6).toString(16).padStart(4, '0');
  return `${first}-${second}-${third}-${at.toString('hex', 8, 10)}-${at.toString('hex', 10, 16)}`.toUpperCase();
}
