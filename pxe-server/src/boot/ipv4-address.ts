/** An IPv4 address as dotted text without leading zeros: `10.77.0.1`. */
export type Ipv4Address = string & { readonly __brand: 'Ipv4Address' };

export const unspecifiedAddress = '0.0.0.0' as Ipv4Address;
export const broadcastAddress = '255.255.255.255' as Ipv4Address;

/** Undefined when the text is not four decimal numbers from 0 to 255. */
export function parseIpv4Address(text: string): Ipv4Address | undefined {
  const parts = text.split('.');
  const valid =
    parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return valid ? (text as Ipv4Address) : undefined;
}

/** For addresses written in code or already checked by a schema: throws a RangeError on anything else. */
export function ipv4(text: string): Ipv4Address {
  const address = parseIpv4Address(text);
  if (address === undefined) throw new RangeError(`${JSON.stringify(text)} is not an IPv4 address`);
  return address;
}

/** Reads four bytes at `offset`; the caller has checked that they are there. */
export function ipv4FromBytes(bytes: Uint8Array, offset = 0): Ipv4Address {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}` as Ipv4Address;
}

/** 32 bits, unsigned. */
export function ipv4ToNumber(address: Ipv4Address): number {
  // Without `split`: every packet has a dozen addresses, and that was a tenth of the work.
  let [number, byte] = [0, 0];
  for (let index = 0; index < address.length; index++) {
    const digit = address.charCodeAt(index) - zero;
    if (digit >= 0) byte = byte * 10 + digit;
    else [number, byte] = [number * 256 + byte, 0];
  }
  return number * 256 + byte;
}

/** `.` comes before it. */
const zero = '0'.charCodeAt(0);

export function ipv4FromNumber(number: number): Ipv4Address {
  return `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}` as Ipv4Address;
}

export function isInSubnet(address: Ipv4Address, network: Ipv4Address, netmask: Ipv4Address): boolean {
  const mask = ipv4ToNumber(netmask);
  return ((ipv4ToNumber(address) ^ ipv4ToNumber(network)) & mask) === 0;
}

/** `255.255.255.0` of 24. */
export function netmaskOf(prefixLength: number): Ipv4Address {
  return ipv4FromNumber(2 ** 32 - 2 ** (32 - prefixLength));
}
