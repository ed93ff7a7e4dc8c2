import { expect, test } from 'vitest';
import { findSection } from '#scripts/runtime/elf-sections.ts';
import { unusedFunctions, webAssemblyTexts } from '#scripts/runtime/unused-parts.ts';

const listing = [
  '  [14] .eh_frame_hdr     PROGBITS        0000000006c7cb2c 687cb2c 0feb04 00   A  0   0  4',
  '  [15] .eh_frame         PROGBITS        0000000006d7b630 697b630 525328 00   A  0   0  8',
  '  [30] .bss              NOBITS          00000000073072a0 6f072a0 0524c8 00  WA  0   0 32',
].join('\n');

test('a section is found by its whole name', () => {
  expect(findSection(listing, '.eh_frame')).toEqual({
    address: 0x6d7b630,
    offset: 0x697b630,
    size: 0x525328,
  });
  expect(findSection(listing, '.eh_frame_hdr')?.offset).toBe(0x687cb2c);
});

test('what is not in the file, or takes no room in it, is not there', () => {
  expect(findSection(listing, '.bss')).toBeUndefined();
  expect(findSection(listing, 'xeh_frame')).toBeUndefined();
});

test('long texts of WebAssembly are found from end to end; shorter ones and other texts are left', () => {
  const text = `wasm = "${'AGFzbQ+/'.repeat(4)}==", other = "${'x'.repeat(31)}";${'y'.repeat(32)}`;
  const found = webAssemblyTexts(Buffer.from(text), 32).map(({ start, end }) => text.slice(start, end));
  expect(found).toEqual(['AGFzbQ+/'.repeat(4)]);
});

test('functions of LIEF in the text section, not those of Node that take one, and no data', () => {
  const symbols = [
    '0000000000001000 0000000000000020 T _ZN4LIEF3ELF6Parser5parseEv',
    '0000000000001020 0000000000000008 W _ZNSt6vectorIN4LIEF3ELF6SymbolEE9push_backEv',
    '0000000000001030 0000000000000010 t _ZN4node3sea5writeEPN4LIEF3ELF6BinaryE',
    '0000000000001040 0000000000000010 T _ZN2v88internal4HeapC1Ev',
    '0000000000001050 0000000000000010 V _ZTVN4LIEF3ELF6BinaryE',
    '0000000000001ff8 0000000000000010 T _ZN4LIEF3ELF6Parser3endEv',
    '0000000000001100 T _ZN4LIEF3ELF8withoutSizeEv',
  ].join('\n');
  expect(unusedFunctions(symbols, { address: 0x1000, offset: 0x400, size: 0x1000 })).toEqual([
    { address: 0x1000, size: 0x20 },
    { address: 0x1020, size: 8 },
  ]);
});
