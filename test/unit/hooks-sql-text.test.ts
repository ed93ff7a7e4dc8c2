import { expect, test, vi } from 'vitest';
import { formatCleanupBatch } from '#runtime/hooks/sql/cleanup-statement.ts';
import { factsQuery, readFacts } from '#runtime/hooks/sql/database-facts.ts';
import { tsqlErrors } from '#test/support/tsql-grammar.ts';

// The grammar is large: on a busy machine its first text takes many seconds.
vi.setConfig({ testTimeout: 60_000 });

const database = {
  name: "CC_o'x]y",
  databaseId: 7,
  state: 'ONLINE',
  distributor: false,
  snapshot: false,
  hasSnapshots: false,
  mirrored: false,
  published: false,
  files: [],
};
const states = ['ONLINE', 'SUSPECT', 'OFFLINE', 'EMERGENCY', 'RECOVERY_PENDING'];
const batches = states.flatMap((state) =>
  (['DROP', 'DETACH'] as const).map((action) =>
    formatCleanupBatch({ database: { ...database, state }, action, why: '' }),
  ),
);

test('the grammar sees an error where there is one', () => {
  expect(tsqlErrors("PRINT 'a'\nEND\nEND")).not.toEqual([]);
});

test('every batch and the query are T-SQL', () => {
  for (const text of [factsQuery, ...batches]) expect(tsqlErrors(text), text).toEqual([]);
});

test('a name stands in one literal only, and every variable has one spelling', () => {
  for (const text of batches) {
    expect(text.split("o''x]y").length).toBe(2);
    const variables = new Set(text.match(/@[A-Za-z]+/g));
    expect(new Set([...variables].map((name) => name.toLowerCase())).size).toBe(variables.size);
  }
});

test('nothing that SQL Server 2008 R2 does not know', () => {
  for (const text of [factsQuery, ...batches]) {
    expect(text).not.toMatch(/\b(THROW|IIF|CONCAT|TRY_CAST|STRING_AGG|DROP DATABASE IF EXISTS|FORMAT)\b/);
  }
});

test('a database is its own before it is detached, and readable when it was suspect', () => {
  const text = formatCleanupBatch({ database: { ...database, state: 'SUSPECT' }, action: 'DETACH', why: '' });
  const order = ['SET EMERGENCY', 'SET SINGLE_USER WITH ROLLBACK IMMEDIATE', 'sp_detach_db @dbname'];
  expect(order.map((part) => text.indexOf(part))).toEqual(
    order.map((part) => text.indexOf(part)).toSorted((a, b) => a - b),
  );
  expect(text).not.toContain('DROP DATABASE');
});

test('rows of files become databases', () => {
  const row = {
    name: 'CC_1',
    databaseId: 5,
    state: 'ONLINE',
    distributor: 0,
    snapshot: 0,
    hasSnapshots: 1,
    mirrored: 0,
    published: 0,
    file: 'D:\\a.mdf',
  };
  expect(
    readFacts([row, { ...row, file: 'D:\\a.ldf' }, { ...row, name: 'x', databaseId: 6, file: '' }]),
  ).toEqual([
    {
      ...row,
      distributor: false,
      snapshot: false,
      hasSnapshots: true,
      mirrored: false,
      published: false,
      file: undefined,
      files: ['D:\\a.mdf', 'D:\\a.ldf'],
    },
    expect.objectContaining({ name: 'x', files: [] }),
  ]);
  expect(() => readFacts([{ ...row, databaseId: 'five' }])).toThrow();
});
