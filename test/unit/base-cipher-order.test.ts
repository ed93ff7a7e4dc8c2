import { DEFAULT_CIPHERS } from 'node:tls';
import { expect, test } from 'vitest';
import { cipherOrder } from '#base/cipher-order.ts';

test('a processor with AES instructions, or an unknown one, keeps the usual order', () => {
  expect(cipherOrder('flags\t\t: fpu vme aes xsave\n')).toBe(DEFAULT_CIPHERS);
  expect(cipherOrder(undefined)).toBe(DEFAULT_CIPHERS);
});

test('without them ChaCha20-Poly1305 comes first, and no suite is lost', () => {
  const order = cipherOrder('flags\t\t: fpu vme vaes sse2\n').split(':');
  expect(order[0]).toBe('TLS_CHACHA20_POLY1305_SHA256');
  expect(order.toSorted()).toEqual(DEFAULT_CIPHERS.split(':').toSorted());
});
