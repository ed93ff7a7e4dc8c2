import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { formatConfigurationTable } from '#pxe-server/config/configuration-table.ts';

it('scripts/README.md has the table of the schema as it is', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../scripts/README.md'), 'utf8');
  expect(readme).toContain(formatConfigurationTable());
});
