import { expect, test, vi } from 'vitest';
import { rulesFor } from '#contract/pcs7-version.ts';
import { cleanupRules } from '#contract/sql-cleanup-rules.ts';
import { judgeCleanup, parseCleanupLines } from '#contract/sql-results.ts';
import { formatSqlcmdStep } from '#runtime/hooks/sql/sqlcmd-step.ts';
import { formatStationScript } from '#runtime/hooks/sql/station-script.ts';
import { tsqlErrors } from '#test/support/tsql-grammar.ts';

/** What a station's own sqlcmd runs, and what its answer means. No SQL Server runs it here. */

// The grammar is large: on a busy machine its first text takes many seconds.
vi.setConfig({ testTimeout: 60_000 });

const script = formatStationScript(rulesFor('V8.1'), 'apply');

test('both scripts are T-SQL of SQL Server 2008 R2, every variable in one spelling', () => {
  for (const text of [script, formatStationScript(rulesFor(undefined), 'list')]) {
    expect(tsqlErrors(text)).toEqual([]);
    expect(text).not.toMatch(/\b(THROW|IIF|CONCAT|TRY_CAST|STRING_AGG|FORMAT|DROP DATABASE IF)\b/);
    const variables = new Set(text.match(/@[A-Za-z]+/g));
    expect(new Set([...variables].map((name) => name.toLowerCase())).size).toBe(variables.size);
  }
});

test('it has the rules as rows, and its order: looked at, protected, alone, detached, told', () => {
  const rows = [...script.matchAll(/VALUES \((\d+), N'([^']*)', N'([^']*)', N'(\w+)'\)/g)].map(
    ([, priority, state, name, action]) => ({ priority: Number(priority), state, name, action }),
  );
  expect(rows).toEqual(
    cleanupRules.map(({ priority, state, name, action }) => ({ priority, state, name, action })),
  );
  const order = [
    "IS_SRVROLEMEMBER(N'sysadmin')",
    'd.database_id <= 4 OR d.is_distributor = 1 OR d.source_database_id IS NOT NULL',
    'BEGIN TRY',
    'SET SINGLE_USER WITH ROLLBACK IMMEDIATE',
    'sp_detach_db @dbname = @name',
    'BEGIN CATCH',
    'SET MULTI_USER',
    "N'database '",
  ].map((part) => script.indexOf(part));
  expect(order).not.toContain(-1);
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  // A name reaches a statement through QUOTENAME or a parameter only.
  expect(script.match(/\+ @name/g)).toBeNull();
});

test('the list changes nothing: its loop is never entered', () => {
  const list = formatStationScript(rulesFor(undefined), 'list');
  expect(list).toContain("SET @mode = N'list'");
  expect(list).toContain("WHILE @id IS NOT NULL AND @mode = N'apply'");
});

test('the step names the instance as sqlcmd wants it', () => {
  expect(formatSqlcmdStep('WINCC')).toContain('sqlcmd -S .\\WINCC -E');
  expect(formatSqlcmdStep('MSSQLSERVER')).toContain('sqlcmd -S . -E');
});

const said = (...lines: string[]) => judgeCleanup(parseCleanupLines(lines.join('\r\n')));

test('lines become a typed result, with names that no code page can spoil', () => {
  const hex = Buffer.from('CC_Anlage Süd', 'utf16le').toString('hex').toUpperCase();
  expect(
    said('database KEEP kept 0 master', `database DETACH done 0 0x${hex}`, 'database DETACH absent 0 CC_a b'),
  ).toEqual({
    result: { outcome: 'done', sentence: '1 databases of old projects cleared.' },
    evidence: [
      { name: 'KEEP master', value: 'kept' },
      { name: 'DETACH CC_Anlage Süd', value: 'done' },
      { name: 'DETACH CC_a b', value: 'absent' },
    ],
  });
});

test.each([
  [
    'failed',
    ['database DETACH done 0 CC_1', 'message Database is in use.', 'database DROP failed 3702 CC_2R'],
  ],
  ['failed', ['database DETACH changed 0 CC_1']],
  ['unverified', ['database KEEP kept 0 master', 'database REPORT listed 0 CCTV']],
  ['unverified', ['Sqlcmd: Error: something else']],
])('%s: %j', (outcome, lines) => {
  expect(said(...lines).result.outcome).toBe(outcome);
});
