import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatPacket, parsePacket } from '#pxe-server/dhcp/packet.ts';
import { ipxeBiosDiscover, request } from '#test/support/dhcp-datagrams.ts';

function parsed(bytes: Uint8Array) {
  const packet = parsePacket(bytes);
  if (packet.kind === 'ignored') throw new Error(packet.reasons.join(', '));
  return packet;
}
const hex = (value: Uint8Array | undefined) => value && Buffer.from(value).toString('hex');

/** A DISCOVER whose option field is given as it is. */
function withOptions(options: string): Buffer {
  return Buffer.concat([
    request({ type: 1 }).subarray(0, 240),
    Buffer.from(options.replaceAll(' ', ''), 'hex'),
  ]);
}

test("QEMU's iPXE ROM, as captured", () => {
  const packet = parsed(ipxeBiosDiscover);
  expect(packet).toMatchObject({
    op: 'request',
    htype: 1,
    xid: 0xd7e83f0b,
    secs: 4,
    flags: 0,
    ciaddr: '0.0.0.0',
  });
  expect(hex(packet.chaddr)).toBe('525400000001');
  expect(Array.from(packet.options.keys())).toEqual([53, 57, 93, 94, 60, 77, 55, 175, 61, 97]);
  expect(hex(packet.options.get(57))).toBe('05c0');
  expect(packet.options.get(175)).toHaveLength(48);
});

test('what was read is written back byte for byte', () => {
  expect(hex(formatPacket(parsed(ipxeBiosDiscover)))).toBe(hex(ipxeBiosDiscover));
});

test('PAD is skipped, unknown options stay, END ends', () => {
  const { options } = parsed(withOptions('00 350101 0000 e003010203 ff 0c0141'));
  expect(Array.from(options, ([code, value]) => [code, hex(value)])).toEqual([
    [53, '01'],
    [224, '010203'],
  ]);
});

test('a field that ends without END is read to its end', () => {
  expect(hex(parsed(withOptions('350101')).options.get(53))).toBe('01');
});

test('an option in several pieces is one value (RFC 3396)', () => {
  expect(hex(parsed(withOptions('350101 2b020102 0c0141 2b0103 ff')).options.get(43))).toBe('010203');
});

test('a value over 255 bytes is written in pieces', () => {
  const packet = { ...parsed(request({ type: 1 })), options: new Map([[43, Buffer.alloc(300, 7)]]) };
  const bytes = formatPacket(packet);
  expect([bytes[240], bytes[241], bytes[497], bytes[498]]).toEqual([43, 255, 43, 45]);
  expect(parsed(bytes).options.get(43)).toEqual(Buffer.alloc(300, 7));
});

test('options go on in file, then in sname (option 52)', () => {
  const bytes = withOptions('350101 340103 ff');
  bytes.set(Buffer.from('0c0142ff', 'hex'), 44);
  bytes.set(Buffer.from('0c0141ff', 'hex'), 108);
  const packet = parsed(bytes);
  expect(hex(packet.options.get(12))).toBe('4142');
  expect(packet).toMatchObject({ file: '', sname: '' });
  expect(packet.options.has(52)).toBe(false);
});

test('file and sname without option 52 are text', () => {
  const bytes = withOptions('350101 ff');
  bytes.write('server', 44);
  bytes.fill('x', 108, 236);
  expect(parsed(bytes)).toMatchObject({ sname: 'server', file: 'x'.repeat(128) });
});

test('short messages are filled up to 300 bytes for old relays', () => {
  expect(formatPacket(parsed(request({ type: 1 })))).toHaveLength(300);
});

const broken = (change: (bytes: Buffer) => void) => {
  const bytes = request({ type: 1 });
  change(bytes);
  return bytes;
};
test.each([
  ['nothing', Buffer.alloc(0), '0 bytes are too short for a DHCP message'],
  ['no options', request({ type: 1 }).subarray(0, 239), '239 bytes are too short for a DHCP message'],
  ['another cookie', broken((b) => b.set([0], 236)), 'the magic cookie is missing'],
  ['op 3', broken((b) => b.set([3], 0)), 'op 3 is neither request nor reply'],
  ['hlen 17', broken((b) => b.set([17], 2)), 'a hardware address of 17 bytes does not fit into chaddr'],
  ['an overrun', withOptions('350101 3c0541'), 'option 60 in the option field says 5 bytes, 1 are left'],
  ['a code alone', withOptions('350101 3c'), 'option 60 in the option field has no length'],
  ['overload 4', withOptions('350101 340104 ff'), 'option 52 is not one byte from 1 to 3'],
  ['overload twice', withOptions('340101 340101 ff'), 'option 52 is not one byte from 1 to 3'],
  [
    'an overrun in file',
    broken((b) => {
      b.set(Buffer.from('340101ff', 'hex'), 240);
      b.set([12, 200], 108);
    }),
    'option 12 in file says 200 bytes, 126 are left',
  ],
])('%s is a reason, not an exception', (_, bytes, reason) => {
  expect(parsePacket(bytes)).toEqual({ kind: 'ignored', reasons: [reason] });
});

test('no datagram makes the parser throw', () => {
  const patch = fc.array(fc.tuple(fc.nat(ipxeBiosDiscover.length - 1), fc.nat(255)), { maxLength: 12 });
  fc.assert(
    fc.property(patch, fc.nat(ipxeBiosDiscover.length), (changes, length) => {
      const bytes = Buffer.from(ipxeBiosDiscover.subarray(0, length));
      for (const [offset, byte] of changes) if (offset < length) bytes[offset] = byte;
      parsePacket(bytes);
    }),
    { numRuns: 2000 },
  );
});
