/**
 * DHCP datagrams for tests: captured from real firmware, or put together byte by byte. Nothing here uses the codec
 * under test.
 */

/** The fields up to `chaddr`, then zeros up to the magic cookie at byte 236, then cookie and options. */
function datagram(head: string, options: string): Buffer {
  const bytes = Buffer.alloc(236);
  Buffer.from(head, 'hex').copy(bytes);
  return Buffer.concat([bytes, Buffer.from(options, 'hex')]);
}

/** DISCOVER of QEMU's BIOS iPXE ROM, `-uuid 11223344-5566-7788-99aa-bbccddeeff00`, mac 52:54:00:00:00:01. */
export const ipxeBiosDiscover = datagram(
  '01010600d7e83f0b0004000000000000000000000000000000000000525400000001',
  [
    '63825363350101390205c05d0200005e030102013c20505845436c69656e743a417263683a30303030303a554e44493a',
    '3030323030314d04695058453717010306070c0f111a2b3c4243778081828384858687afcbaf30b105011af41000eb03',
    '0100001701012201011301011101012701011901012901011001022101011501011801011201013d0701525400000001',
    '611100443322116655887799aabbccddeeff00ff',
  ].join(''),
);

/** DISCOVER of OVMF's PXE stack (2022.11) on the same machine. */
export const ovmfDiscover = datagram(
  '01010600ce141d710000800000000000000000000000000000000000525400000001',
  [
    '63825363350101390205c037230102030405060c0d0f111216171c28292a2b3233363a3b3c4243618081828384858687',
    '611100443322116655887799aabbccddeeff005e030103005d0200073c20505845436c69656e743a417263683a303030',
    '30373a554e44493a303033303030ff',
  ].join(''),
);

/** Number, then value as text, dotted address or bytes. */
export type Options = readonly (readonly [number, string | readonly number[]])[];

export interface RequestFields {
  /** Message type, option 53. */
  readonly type: number;
  readonly xid?: number;
  readonly flags?: number;
  readonly ciaddr?: string;
  readonly giaddr?: string;
  readonly mac?: string;
  readonly options?: Options;
}

/** A client's message with the given fields, END and no padding. */
export function request(fields: RequestFields): Buffer {
  const {
    type,
    xid = 0x11223344,
    flags = 0,
    ciaddr,
    giaddr,
    mac = '52:54:00:00:00:01',
    options = [],
  } = fields;
  const bytes = Buffer.alloc(240);
  bytes.set([1, 1, 6, 0]);
  bytes.writeUInt32BE(xid, 4);
  bytes.writeUInt16BE(flags, 10);
  if (ciaddr !== undefined) bytes.set(ciaddr.split('.').map(Number), 12);
  if (giaddr !== undefined) bytes.set(giaddr.split('.').map(Number), 24);
  bytes.set(Buffer.from(mac.replaceAll(':', ''), 'hex'), 28);
  bytes.writeUInt32BE(0x63825363, 236);
  const parts = options.map(([code, value]) => {
    const isAddress = typeof value === 'string' && /^[\d.]+$/.test(value);
    const data = isAddress ? Buffer.from(value.split('.').map(Number)) : Buffer.from(value as string);
    return Buffer.concat([Buffer.from([code, data.length]), data]);
  });
  return Buffer.concat([bytes, Buffer.from([53, 1, type]), ...parts, Buffer.from([255])]);
}

/** What OVMF's PXE stack says about itself (order and values as seen on the wire). */
export const uefiOptions: Options = [
  [97, [0, 0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x88, 0x77, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0]],
  [94, [1, 3, 0]],
  [93, [0, 7]],
  [60, 'PXEClient:Arch:00007:UNDI:003000'],
];

export const biosOptions: Options = [
  [93, [0, 0]],
  [94, [1, 2, 1]],
  [60, 'PXEClient:Arch:00000:UNDI:002001'],
];

export const httpBootOptions: Options = [
  [93, [0, 16]],
  [60, 'HTTPClient:Arch:00016:UNDI:003000'],
];

/** The options of a reply, by walking its bytes; good for short values only. */
export function optionsOf(reply: Uint8Array): Map<number, number[]> {
  const options = new Map<number, number[]>();
  for (let i = 240; i < reply.length && reply[i] !== 255; ) {
    const length = reply[i + 1] ?? 0;
    options.set(reply[i] ?? 0, Array.from(reply.subarray(i + 2, i + 2 + length)));
    i += 2 + length;
  }
  return options;
}

/** A field of text in a reply, up to its first zero. */
export function textOf(reply: Uint8Array, start: number, length: number): string {
  return (
    Buffer.from(reply.subarray(start, start + length))
      .toString('latin1')
      .split('\0')[0] ?? ''
  );
}

export const bootFileOf = (reply: Uint8Array): string => textOf(reply, 108, 128);

/** An address field by its offset: 12 ciaddr, 16 yiaddr, 20 siaddr, 24 giaddr. */
export const addressOf = (reply: Uint8Array, offset: number): string =>
  Array.from(reply.subarray(offset, offset + 4)).join('.');
