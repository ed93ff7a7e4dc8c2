import fc from 'fast-check';
import { expect, test } from 'vitest';
import { negotiate } from '#pxe-server/tftp/negotiation.ts';
import { toNetascii } from '#pxe-server/tftp/netascii.ts';
import {
  formatData,
  formatError,
  formatOptionAcknowledgement,
  parseClientPacket,
} from '#pxe-server/tftp/packet.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

test("iPXE's request", () => {
  expect(parseClientPacket(bytes('\0\x01undionly.kpxe\0octet\0blksize\x001432\0tsize\x000\0'))).toEqual({
    kind: 'rrq',
    fileName: 'undionly.kpxe',
    mode: 'octet',
    options: new Map([
      ['blksize', '1432'],
      ['tsize', '0'],
    ]),
  });
});

test('mode and option names are read in any case, the first of a repeated option counts', () => {
  expect(parseClientPacket(bytes('\0\x02A\0NetASCII\0BLKSIZE\x008\0blksize\x009\0'))).toEqual({
    kind: 'wrq',
    fileName: 'A',
    mode: 'netascii',
    options: new Map([['blksize', '8']]),
  });
});

test('zeros behind the mode are no option', () => {
  expect(parseClientPacket(bytes('\0\x01a\0octet\0\0\0\0'))).toMatchObject({
    kind: 'rrq',
    options: new Map(),
  });
});

test('ACK and ERROR', () => {
  expect(parseClientPacket(bytes('\0\x04\xff\xfe'))).toEqual({ kind: 'ack', block: 65534 });
  expect(parseClientPacket(bytes('\0\x05\0\x08no\0'))).toEqual({ kind: 'error', code: 8, message: 'no' });
  expect(parseClientPacket(bytes('\0\x05\0\x08no'))).toEqual({ kind: 'error', code: 8, message: 'no' });
});

test.each([
  ['', '0 bytes are too short for a TFTP packet'],
  ['\0\x04\0', '3 bytes are too short for a TFTP packet'],
  ['\0\x01a\0octet', 'a request whose last string does not end'],
  ['\0\x01\0octet\0', 'a request without file name or mode'],
  ['\0\x01a\0', 'a request without file name or mode'],
  ['\0\x03\0\x01x', 'opcode 3 is nothing a TFTP client sends'],
  [`\0\x01${'a'.repeat(3000)}\0octet\0`, 'a request of 3007 bytes'],
])('%j is malformed', (text, reason) => {
  expect(parseClientPacket(bytes(text))).toEqual({ kind: 'malformed', reason });
});

test('no datagram makes the parser throw', () => {
  const datagram = fc.tuple(fc.integer({ min: 0, max: 9 }), fc.uint8Array({ maxLength: 80 }));
  fc.assert(
    fc.property(datagram, ([opcode, rest]) => {
      parseClientPacket(Buffer.concat([Uint8Array.of(0, opcode), rest]));
    }),
  );
});

test('what the server sends', () => {
  expect(formatData(65537, bytes('x')).toString('latin1')).toBe('\0\x03\0\x01x');
  expect(formatError(1, 'No such file').toString('latin1')).toBe('\0\x05\0\x01No such file\0');
  expect(formatOptionAcknowledgement(new Map([['tsize', '7']])).toString('latin1')).toBe(
    '\0\x06tsize\x007\0',
  );
});

test.each([
  ['nothing', {}, {}, { blockSize: 512, windowSize: 1 }],
  ['too large a block', { blksize: '65464' }, { blksize: '1468' }, { blockSize: 1468 }],
  ['too small a block', { blksize: '7' }, {}, { blockSize: 512 }],
  ['no number', { blksize: '1e3', windowsize: '-1' }, {}, { blockSize: 512, windowSize: 1 }],
  ['the size', { tsize: '0' }, { tsize: '9000' }, {}],
  ['a window', { windowsize: '65535' }, { windowsize: '64' }, { windowSize: 64 }],
  ['a window of none', { windowsize: '0' }, {}, { windowSize: 1 }],
  ['a timeout', { timeout: '3' }, { timeout: '3' }, { timeoutSeconds: 3 }],
  ['a timeout of 256 s', { timeout: '256' }, {}, {}],
  ['an unknown option', { multicast: '' }, {}, {}],
])('negotiates %s', (_, requested, accepted, parameters) => {
  const result = negotiate(new Map(Object.entries(requested)), 9000);
  expect(Object.fromEntries(result.accepted)).toEqual(accepted);
  expect(result).toMatchObject(parameters);
});

test('netascii: LF becomes CR LF, a bare CR becomes CR NUL', () => {
  expect(toNetascii(bytes('a\nb\rc\r\n')).toString('latin1')).toBe('a\r\nb\r\0c\r\0\r\n');
  expect(toNetascii(bytes(''))).toHaveLength(0);
});
