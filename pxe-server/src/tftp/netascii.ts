/** RFC 764 NVT ASCII as TFTP uses it (RFC 1350 section 1): a line ends with CR LF, a bare CR becomes CR NUL. */
export function toNetascii(bytes: Uint8Array): Buffer {
  const [cr, lf, nul] = [13, 10, 0];
  const extra = bytes.reduce((count, byte) => count + (byte === cr || byte === lf ? 1 : 0), 0);
  const result = Buffer.alloc(bytes.length + extra);
  let to = 0;
  for (const byte of bytes) {
    if (byte === lf) result[to++] = cr;
    result[to++] = byte;
    if (byte === cr) result[to++] = nul;
  }
  return result;
}
