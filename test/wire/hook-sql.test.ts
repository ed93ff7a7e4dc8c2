import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTdsPeer, type TdsAnswer, type TdsPeer } from '#test/support/tds-peer.ts';
import { tsqlErrors } from '#test/support/tsql-grammar.ts';

/** `rekindle hook sql` as it is typed, against a peer that speaks TDS. What an SQL Server does is not proved here. */

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hook-sql-'));
  await writeFile(join(folder, 'password'), 'correct horse\n', { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true }));

const database = (name: string, databaseId: number, state = 'ONLINE') => ({
  name,
  databaseId,
  state,
  distributor: 0,
  snapshot: 0,
  hasSnapshots: 0,
  mirrored: 0,
  published: 0,
  file: `D:\\${name}.mdf`,
});
const databases = [
  database('master', 1),
  database('CC_OS_14_11_03_09_15_20R', 5),
  database('S1_OS_TLG_F_1', 6, 'RECOVERY_PENDING'),
  database('CCTV', 7),
];

/** The instance: what it has, and who has been taken away. */
function instance(fail?: (batch: string) => TdsAnswer | undefined) {
  const gone = new Set<string>();
  return (batch: string): TdsAnswer => {
    if (batch.includes('sys.master_files')) return { rows: databases.filter(({ name }) => !gone.has(name)) };
    if (batch.includes('IS_SRVROLEMEMBER')) return { rows: [{ sysadmin: 1 }] };
    const failed = fail?.(batch);
    if (failed !== undefined) return failed;
    const name = /SET @name = N'([^']*)'/.exec(batch)?.[1] ?? '';
    const action = /SET @action = N'(\w+)'/.exec(batch)?.[1] ?? '';
    const outcome = gone.has(name) ? 'absent' : 'done';
    gone.add(name);
    return { rows: [{ name, action, outcome, statement: 'x', errorNumber: null, errorMessage: null }] };
  };
}

const accepts = (user: string, password: string) => user === 'sa' && password === 'correct horse';

function hookSql(
  peer: TdsPeer,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const words = ['hook', 'sql', '--server', `127.0.0.1,${peer.port}`, '--user', 'sa', '--no-encryption'];
  const all = [join(import.meta.dirname, '../../scripts/rekindle.ts'), ...words];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...all, '--password-file', join(folder, 'password'), ...args],
      (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}

test('without --apply the plan is shown and nothing is sent that changes anything', async () => {
  await using peer = await startTdsPeer({ accepts, answer: instance() });
  const script = join(folder, 'plan.sql');
  const { code, stdout } = await hookSql(peer, '--pcs7', 'V8.1', '--emit', script);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^KEEP {4}master/m);
  expect(stdout).toMatch(/^DETACH {2}CC_OS_14_11_03_09_15_20R/m);
  expect(stdout).toMatch(/^DROP {4}S1_OS_TLG_F_1/m);
  expect(stdout).toMatch(/^REPORT {2}CCTV/m);
  expect(peer.batches).toHaveLength(1);
  expect(peer.logIns).toEqual([{ user: 'sa', password: 'correct horse' }]);
  expect(tsqlErrors(await readFile(script, 'utf8'))).toEqual([]);
});

test('--apply acts on what was planned, once; again it finds nothing to do', async () => {
  await using peer = await startTdsPeer({ accepts, answer: instance() });
  const first = await hookSql(peer, '--pcs7', 'V8.1', '--apply', '--json');
  expect(first.code).toBe(0);
  expect(JSON.parse(first.stdout).results).toMatchObject([
    { name: 'CC_OS_14_11_03_09_15_20R', action: 'DETACH', outcome: 'done' },
    { name: 'S1_OS_TLG_F_1', action: 'DROP', outcome: 'done' },
  ]);
  const second = await hookSql(peer, '--pcs7', 'V8.1', '--apply', '--json');
  expect(JSON.parse(second.stdout).results).toEqual([]);
});

test('one failure stops no other, and ends in exit code 3', async () => {
  const error = { number: 5030, message: 'The database could not be exclusively locked.' };
  const answer = instance((batch) => (batch.includes("N'DETACH'") ? { error } : undefined));
  await using peer = await startTdsPeer({ accepts, answer });
  const { code, stdout, stderr } = await hookSql(peer, '--pcs7', 'V8.0', '--apply');
  expect(code).toBe(3);
  expect(stdout).toContain('FAILED, The database could not be exclusively locked.');
  expect(stdout).toContain('DROP of S1_OS_TLG_F_1: done');
  expect(stderr).toContain('1 of 2 databases are still there');
});

test('a connection that breaks midway says what was done until then', async () => {
  const answer = instance((batch) => (batch.includes("N'DROP'") ? { cut: true } : undefined));
  await using peer = await startTdsPeer({ accepts, answer });
  const { code, stdout } = await hookSql(peer, '--pcs7', 'V8.1', '--apply');
  expect(code).toBe(3);
  expect(stdout).toContain('DETACH of CC_OS_14_11_03_09_15_20R: done');
  expect(stdout).toMatch(/DROP of S1_OS_TLG_F_1: FAILED/);
});

test('PCS 7 V8.1 SP1 clears by itself; an unknown version waits for a person', async () => {
  await using peer = await startTdsPeer({ accepts, answer: instance() });
  const later = await hookSql(peer, '--pcs7', 'V8.1 SP1', '--apply');
  expect(later.code).toBe(0);
  expect(later.stdout).toContain('clears its management data itself');
  const unknown = await hookSql(peer, '--apply');
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain('the PCS 7 version is not known');
  expect(peer.batches.every((batch) => !batch.includes('@action'))).toBe(true);
});

test('a log-on without rights, a wrong password, and nobody there', async () => {
  const answer = (batch: string): TdsAnswer =>
    batch.includes('IS_SRVROLEMEMBER') ? { rows: [{ sysadmin: 0 }] } : instance()(batch);
  await using peer = await startTdsPeer({ accepts, answer });
  const weak = await hookSql(peer, '--pcs7', 'V8.1', '--apply');
  expect(weak.code).toBe(2);
  expect(weak.stderr).toContain('no member of sysadmin');

  await using strict = await startTdsPeer({ accepts: () => false, answer });
  const wrong = await hookSql(strict);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("Login failed for user 'sa'");

  const { port } = strict;
  await strict[Symbol.asyncDispose]();
  const nobody = await hookSql({ ...strict, port });
  expect(nobody.code).toBe(10);
});
