import { expect, test } from 'vitest';
import { parseFiletime } from '#pxe-server/domain/filetime.ts';
import { knownUsn, parseUpToDateVector } from '#pxe-server/domain/up-to-date-vector.ts';

/** `replUpToDateVector` of DC=lab,DC=example on the second of two Samba 4.17 controllers, 2026-11-27. */
const captured = Buffer.from(
  '0200000000000000010000000000000009e5e51f73f03443b0e3f43ed96d70e7d50f00000000000000803ed5deb19d01',
  'hex',
);
/** The first controller's invocationId, as samba-tool drs showrepl printed it. */
const first = '1FE5E509-F073-4334-B0E3-F43ED96D70E7';

test('A vector that Samba wrote has its cursors', () => {
  expect(parseUpToDateVector(captured)).toEqual([{ invocationId: first, usn: 0xfd5n }]);
});

test('Version 1 has no times, and a USN needs all its 64 bits', () => {
  const header = '01000000000000000200000000000000';
  const one = `${'09e5e51f73f03443b0e3f43ed96d70e7'}${'0100000000000080'}`;
  const other = `${'00112233445566778899aabbccddeeff'}${'ffffffff00000000'}`;
  expect(parseUpToDateVector(Buffer.from(header + one + other, 'hex'))).toEqual([
    { invocationId: first, usn: 0x8000000000000001n },
    { invocationId: '33221100-5544-7766-8899-AABBCCDDEEFF', usn: 0xffffffffn },
  ]);
});

test.each([
  ['shorter than its header', captured.subarray(0, 15), 'it is shorter than its header'],
  ['with half a cursor', captured.subarray(0, 40), '1 cursors of version 2 have another length'],
  [
    'with bytes behind it',
    Buffer.concat([captured, Buffer.alloc(1)]),
    '1 cursors of version 2 have another length',
  ],
  [
    'of another version',
    Buffer.from(`03${captured.toString('hex').slice(2)}`, 'hex'),
    'version 3 is not known',
  ],
])('A vector %s is refused', (_what, bytes, why) => {
  expect(() => parseUpToDateVector(bytes)).toThrow(why);
});

test('What is known is the highest of all vectors, and nothing of an unknown database', () => {
  const vectors = [[{ invocationId: first, usn: 7n }], [], [{ invocationId: first, usn: 9n }]];
  expect(knownUsn(vectors, first)).toBe(9n);
  expect(knownUsn(vectors, '33221100-5544-7766-8899-AABBCCDDEEFF')).toBeUndefined();
});

test('FILETIME: 100 ns since 1601; never is no time', () => {
  expect(parseFiletime('134402621966348260')?.toISOString()).toBe('2026-11-27T14:09:56.634Z');
  expect(parseFiletime('116444736000000000')?.toISOString()).toBe('1970-01-01T00:00:00.000Z');
  expect(parseFiletime('0')).toBeUndefined();
  expect(parseFiletime('9223372036854775807')).toBeUndefined();
  expect(parseFiletime('-1')).toBeUndefined();
});
