import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { systemStateSchema } from '#contract/hook-kinds/domain-controller.ts';
import { parseYaml } from '#pxe-server/config/parse-configuration.ts';

test('what docs/domain.md writes as a systemState is one that a plan takes, with each key that it needs', () => {
  const page = readFileSync('docs/domain.md', 'utf8');
  const written = [...page.matchAll(/systemState: (\{[^}]*\})/g)].map(([, yaml]) =>
    systemStateSchema.parse(parse(yaml ?? '')),
  );
  expect(written.map(({ from }) => from).sort()).toEqual([
    'backup',
    'backup-in-store',
    'restored-from-backup-value',
  ]);
});

test('a systemState of no such kind is told which there are', () => {
  const plan = z.strictObject({ systemState: systemStateSchema });
  expect(parseYaml('\nsystemState: { from: store }\n', plan)).toEqual({
    errors: [
      {
        line: 2,
        key: 'systemState.from',
        message: expect.stringMatching(/^is none of 'backup' \| 'backup-in-store' \| /),
      },
    ],
  });
});
