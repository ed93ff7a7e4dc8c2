import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runtimePackages } from '#scripts/runtime/tool-files.ts';

const list = join(import.meta.dirname, '../../scripts/debian-packages.txt');

test('setup installs every Debian package that the recovery runtime is made of', () => {
  const installed = readFileSync(list, 'utf8')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim());
  expect(runtimePackages.filter((name) => !installed.includes(name))).toEqual([]);
});
