/** The two blocks that HMAC-SHA-256 begins with (RFC 2104): an agent needs no arithmetic then, only SHA-256. */
export function hmacBlocks(key: Uint8Array): { readonly inner: Buffer; readonly outer: Buffer } {
  const block = Buffer.alloc(64);
  block.set(key);
  return {
    inner: Buffer.from(block.map((byte) => byte ^ 0x36)),
    outer: Buffer.from(block.map((byte) => byte ^ 0x5c)),
  };
}
