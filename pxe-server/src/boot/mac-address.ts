/** An Ethernet address as text, lower case with colons: `52:54:00:00:00:01`. */
export type MacAddress = string & { readonly __brand: 'MacAddress' };

/** Colons, hyphens or no separator, any case; undefined when the text is no unicast Ethernet address. */
export function parseMacAddress(text: string): MacAddress | undefined {
  const match =
    /^([0-9a-f]{2})([:-]?)([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})$/i.exec(
      text,
    );
  if (match === null) return undefined;
  return formatMacAddress(Buffer.from(text.replace(/[:-]/g, ''), 'hex'));
}

/** Every byte as two digits: a MAC address is made of every packet. */
const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The six bytes of `chaddr` as text; undefined for another length, for all zeros and for group addresses. */
export function formatMacAddress(bytes: Uint8Array): MacAddress | undefined {
  if (bytes.length !== 6 || bytes.every((byte) => byte === 0)) return undefined;
  if (((bytes[0] ?? 0) & 1) === 1) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  return `${hex[a]}:${hex[b]}:${hex[c]}:${hex[d]}:${hex[e]}:${hex[f]}` as MacAddress;
}
