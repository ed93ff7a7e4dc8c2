import { expect, test } from 'vitest';
import { parseAtaModel, parseUnitSerial } from '#runtime/inventory/disk-identity.ts';
import { parseInstalledMemory } from '#runtime/inventory/smbios.ts';
import { storageMode } from '#runtime/inventory/storage-controllers.ts';

const ascii = (text: string, length: number) => Buffer.from(text.padEnd(length));

test('unit serial page', () => {
  expect(parseUnitSerial(Buffer.concat([Buffer.from([0, 0x80, 0, 20]), ascii('S4B0-0123', 20)]))).toBe(
    'S4B0-0123',
  );
  expect(parseUnitSerial(Buffer.from([0, 0x80, 0, 4, 0x20, 0x20, 0x20, 0x20]))).toBeUndefined();
  expect(parseUnitSerial(Buffer.from([0, 0x83, 0, 1, 0x41]))).toBeUndefined();
  expect(parseUnitSerial(Buffer.from([0, 0x80, 0xff, 0xff, 0x41]))).toBe('A');
  expect(parseUnitSerial(Buffer.from([0, 0x80]))).toBeUndefined();
});

test('the full ATA model is in the T10 designator, behind others', () => {
  const vendorSpecific = Buffer.concat([Buffer.from([2, 0, 0, 20]), ascii('S4B0-0123', 20)]);
  const t10 = Buffer.concat([
    Buffer.from([2, 1, 0, 68]),
    ascii('ATA', 8),
    ascii('EXAMPLE SSD 870 EVO 250GB WITH A NAME', 40),
    ascii('S4B0-0123', 20),
  ]);
  const body = Buffer.concat([vendorSpecific, t10]);
  const page = Buffer.concat([Buffer.from([0, 0x83, 0, body.length]), body]);
  expect(parseAtaModel(page)).toBe('EXAMPLE SSD 870 EVO 250GB WITH A NAME');
  for (let length = 0; length < page.length; length++) {
    expect(() => parseAtaModel(page.subarray(0, length))).not.toThrow();
  }
});

test('memory is the sum of the memory devices: MiB, KiB, extended, empty sockets', () => {
  const device = (size: number, extendedMiB = 0) => {
    const structure = Buffer.alloc(0x22);
    structure[0] = 17;
    structure[1] = 0x22;
    structure.writeUInt16LE(size, 0x0c);
    structure.writeUInt32LE(extendedMiB, 0x1c);
    return Buffer.concat([structure, Buffer.from('DIMM 0\0\0')]);
  };
  const bios = Buffer.concat([Buffer.from([0, 4, 0, 0]), Buffer.from('\0\0')]);
  const end = Buffer.from([127, 4, 0, 0, 0, 0]);
  const table = Buffer.concat([
    bios,
    device(4096),
    device(0),
    device(0x8000 | 512),
    device(0x7fff, 65536),
    end,
  ]);
  expect(parseInstalledMemory(table)).toBe(4096 * 2 ** 20 + 512 * 2 ** 10 + 65536 * 2 ** 20);
  expect(parseInstalledMemory(end)).toBeUndefined();
  for (let length = 0; length < table.length; length++) {
    expect(() => parseInstalledMemory(table.subarray(0, length))).not.toThrow();
  }
});

test.each([
  ['8086:2922', '010601', 'ahci'],
  ['8086:2822', '010400', 'raid'],
  ['144d:a808', '010802', 'nvme'],
  ['8086:7010', '010180', 'ide'],
  ['1000:0097', '010700', 'sas'],
  ['1af4:1001', '010000', 'virtio'],
  ['1000:0030', '010000', 'scsi'],
  ['8086:4b47', '080501', 'other'],
])('%s of class %s runs in mode %s', (id, pciClass, mode) => {
  expect(storageMode(id, pciClass)).toBe(mode);
});
