import { expect, test } from 'vitest';
import { findIcuData, isNeeded } from '#scripts/runtime/small-icu.ts';

const symbols = ' 32151: 0000000004bb75c0 0x1f92680 OBJECT  GLOBAL DEFAULT   16 icudt78_dat\n';
const sections =
  '  [16] .rodata           PROGBITS        0000000003489000 3089000 37f3b2c 00   A  0   0 4096\n';

test('the data lie where symbol and section say', () => {
  const offset = 0x4bb75c0 - 0x3489000 + 0x3089000;
  expect(findIcuData(symbols, sections)).toEqual({ name: 'icudt78l', offset, size: 0x1f92680 });
});

test('a Node without them is an error, not a wrong place', () => {
  expect(() => findIcuData('', sections)).toThrow('has no ICU data');
  expect(() => findIcuData(symbols, '')).toThrow('has no ICU data');
});

test.each([
  ...['root.res', 'en.res', 'res_index.res', 'pool.res', 'zoneinfo64.res', 'likelySubtags.res', 'uts46.nrm'],
  ...['cnvalias.icu', 'coll/root.res', 'coll/ucadata.icu', 'curr/supplementalData.res', 'zone/en.res'],
])('%s stays', (item) => {
  expect(isNeeded(item)).toBe(true);
});

test.each([
  ...[
    'de.res',
    'zh_Hant_TW.res',
    'coll/de.res',
    'lang/en.res',
    'brkitr/cjdict.dict',
    'ibm-1047_P100-1995.cnv',
  ],
  ...['translit/root.res', 'unames.icu', 'zone/fr.res'],
])('%s goes', (item) => {
  expect(isNeeded(item)).toBe(false);
});
