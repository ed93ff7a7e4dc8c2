import { expect, test } from 'vitest';
import {
  formatPciModalias,
  matchesModalias,
  normaliseAlias,
  parsePciModalias,
  virtioModalias,
} from '#driver-packs/modalias.ts';

// The modalias of QEMU's e1000e and a line of modules.alias, both as the kernel writes them.
const e1000e = 'pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00';

test.each([
  ['pci:v00008086d000010D3sv*sd*bc*sc*i*', e1000e, true],
  ['pci:v00008086d000010D4sv*sd*bc*sc*i*', e1000e, false],
  ['pci:v*d*sv*sd*bc02sc00i*', e1000e, true],
  ['pci:v*d*sv*sd*bc01sc06i01*', e1000e, false],
  ['pci:v00008086d000010D3', e1000e, false],
  ['scsi:t-0x00*', 'scsi:t-0x00', true],
  ['usb:v*p*d*dc*dsc*dp*ic08isc0[2-6]ip50in*', 'usb:v0951p1666d0110dc00dsc00dp00ic08isc06ip50in00', true],
  ['usb:v*p*d*dc*dsc*dp*ic08isc0[2-5]ip50in*', 'usb:v0951p1666d0110dc00dsc00dp00ic08isc06ip50in00', false],
  ['cpu:type:x86,ven*feature:*0081*', 'cpu:type:x86,ven0000feature:,0080,0081,', true],
  ['a[!b]?', 'acd', true],
  ['a[!b]?', 'abd', false],
  ['', '', true],
  ['*', '', true],
])('%s on %s: %s', (pattern, modalias, expected) => {
  expect(matchesModalias(pattern, modalias)).toBe(expected);
});

test('many stars on a long alias end soon', () => {
  const started = performance.now();
  expect(matchesModalias(`${'*a'.repeat(30)}b`, 'a'.repeat(250))).toBe(false);
  expect(performance.now() - started).toBeLessThan(500);
});

test('dashes are underscores, except inside brackets', () => {
  expect(normaliseAlias('crypto-crc32c-[0-9]-x')).toBe('crypto_crc32c_[0-9]_x');
});

test('a PCI modalias is read and written', () => {
  const parsed = { id: '8086:10d3', subsystem: '8086:0000', pciClass: '020000' };
  expect(parsePciModalias(e1000e)).toEqual(parsed);
  expect(formatPciModalias(parsed)).toBe(e1000e);
  expect(parsePciModalias('usb:v1D6Bp0002d0601dc09dsc00dp00ic09isc00ip00in00')).toBeUndefined();
});

test.each([
  ['transitional network card', '1af4:1000', '1af4:0001', 'virtio:d00000001v00001AF4'],
  ['modern network card', '1af4:1041', '1af4:1100', 'virtio:d00000001v00001AF4'],
  ['transitional disk', '1af4:1001', '1af4:0002', 'virtio:d00000002v00001AF4'],
  ['modern SCSI host', '1af4:1048', '1af4:1100', 'virtio:d00000008v00001AF4'],
  ['shared memory', '1af4:1110', '1af4:1100', undefined],
  ['another vendor', '8086:1000', '8086:0001', undefined],
])('virtio behind a %s', (_what, id, subsystem, expected) => {
  expect(virtioModalias({ id, subsystem, pciClass: '000000' })).toBe(expected);
});
