import { expect, test } from 'vitest';
import { unspecifiedAddress } from '#pxe-server/boot/ipv4-address.ts';
import { fitOptions, replyLimits } from '#pxe-server/dhcp/fit-options.ts';
import { type DhcpPacket, formatPacket, parsePacket } from '#pxe-server/dhcp/packet.ts';

const bytes = (length: number, value = 1) => new Uint8Array(length).fill(value);
const packet = (options: readonly (readonly [number, Uint8Array])[], file = ''): DhcpPacket => ({
  kind: 'packet',
  op: 'reply',
  htype: 1,
  hops: 0,
  xid: 1,
  secs: 0,
  flags: 0,
  ciaddr: unspecifiedAddress,
  yiaddr: unspecifiedAddress,
  siaddr: unspecifiedAddress,
  giaddr: unspecifiedAddress,
  chaddr: bytes(6, 2),
  sname: '',
  file,
  options: new Map(options),
});

test('a reply is as long as the client says, between 548 and 1472 bytes', () => {
  const limit = (high: number, low: number) => replyLimits(new Map([[57, Uint8Array.of(high, low)]])).length;
  expect(replyLimits(new Map()).length).toBe(548);
  expect(limit(0x01, 0x00)).toBe(548);
  expect(limit(0x05, 0x40)).toBe(0x540 - 28);
  // OVMF says ff00.
  expect(limit(0xff, 0x00)).toBe(1472);
});

test('what does not fit goes into file and sname (option 52), and comes out as it was', () => {
  const options = [
    [53, Uint8Array.of(2)],
    [54, bytes(4)],
    [43, bytes(200, 3)],
    [6, bytes(16, 4)],
    [12, bytes(40, 5)],
    [15, bytes(60, 6)],
  ] as const;
  const sent = formatPacket(packet(options), { length: 548 - 60, wanted: [12] });
  expect(sent.length).toBeLessThanOrEqual(548 - 60);
  // 248 bytes for options, 5 of them END and option 52: 53, 54, 43, then 12, which was asked for, and 6 and 15 not.
  expect(sent.indexOf(Uint8Array.of(52, 1, 1))).toBeGreaterThan(240);
  expect(sent[108]).toBe(12);
  const read = parsePacket(sent);
  expect(read.kind).toBe('packet');
  if (read.kind !== 'packet') return;
  expect(read.options.get(43)).toEqual(Buffer.from(bytes(200, 3)));
  for (const [code, value] of options)
    expect(Buffer.from(read.options.get(code) ?? [])).toEqual(Buffer.from(value));
});

test('a field that carries a boot file takes no options; the least wanted is left out', () => {
  const options = new Map([
    [53, Uint8Array.of(2)],
    [6, bytes(100)],
    [12, bytes(100)],
    [82, bytes(20)],
  ]);
  const fitted = fitOptions(options, { options: 150, file: 0, sname: 0 }, [12]);
  expect([...fitted.options.keys()]).toEqual([53, 12, 82]);
  expect(fitted.dropped).toEqual([6]);
  expect(fitted.file).toBeUndefined();
});
