import { expect, test } from 'vitest';
import { problem, warning, well } from '#pxe-server/doctor/finding.ts';
import type { BootStage } from '#pxe-server/journal/boot-stage.ts';
import { formatBoots } from '../../scripts/boot-transcript.ts';
import { formatFindings } from '../../scripts/finding-lines.ts';

const rowsOf = (lines: readonly string[]) => lines.join('\n').split('\n');
const many = 'so that this sentence does not fit into one row of a terminal that has eighty columns';

test('what stands in the way is read last, within 80 columns, and is counted', () => {
  const plan = problem(
    'hook plans',
    `The plan has errors:\nplan.yaml:2: title ${many}`,
    `Correct it, ${many}.`,
  );
  const rows = rowsOf(
    formatFindings([plan, well('clock', 'The clock is right.'), warning('x', many, 'Do.')], 80),
  );
  expect(rows.filter((row) => /^\S/.test(row)).map((row) => row.slice(0, 22))).toEqual([
    'ok       The clock is ',
    'warning  so that this ',
    'PROBLEM  The plan has ',
    'One problem stands in ',
  ]);
  // Every other row belongs to the finding above it.
  expect(rows.filter((row) => !/^(\S| {9}\S)/.test(row))).toEqual([]);
  expect(Math.max(...rows.map(({ length }) => length))).toBeLessThan(80);
  expect(rows.at(-1)).toBe('One problem stands in the way, and there is a warning.');
  expect(formatFindings([well('clock', 'It is right.')], 80).at(-1)).toBe('Nothing stands in the way.');
  const two = [plan, plan, warning('x', 'a', 'b'), warning('x', 'a', 'b')];
  expect(formatFindings(two, undefined).at(-1)).toBe(
    '2 problems stand in the way, and there are 2 warnings.',
  );
});

test('the transcript of a boot that failed at each stage fits 80 columns, sentences below their beginning', () => {
  const at = new Date(Date.now() - 600_000);
  const boot = (...entries: readonly (readonly [BootStage, string])[]) =>
    entries.map(([stage, sentence]) => ({ machine: '52:54:00:00:00:01', at, stage, sentence }));
  const boots = [
    boot(['firmware', `DISCOVER (uefi-x64) gets OFFER, ${many}`]),
    boot(['firmware', 'REQUEST gets ACK'], ['loader', 'gets snponly.efi by TFTP']),
    boot(['ipxe', 'DISCOVER (ipxe-uefi) gets OFFER']),
    boot(['boot-files', 'gets the boot script: recovery of OS-SRV-1A']),
  ];
  const rows = rowsOf(formatBoots(boots, 'proxy', 80));
  expect(Math.max(...rows.map(({ length }) => length))).toBeLessThan(80);
  expect(rows.filter((row) => row.startsWith('  It ended there: '))).toHaveLength(4);
  const first = rows.findIndex((row) => row.startsWith('    0.000 s  firmware    DISCOVER'));
  expect(rows[first + 1]).toMatch(/^ {25}\S/);
  expect(formatBoots(boots.slice(0, 1), 'proxy', undefined)).toHaveLength(3);
});
