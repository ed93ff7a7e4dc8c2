import { describe, expect, test } from 'vitest';
import { gateByVersion } from '#contract/pcs7-version.ts';
import type { CleanupRule } from '#contract/sql-cleanup-rules.ts';
import type { DatabaseFacts } from '#runtime/hooks/sql/database-facts.ts';
import { matchesPattern } from '#runtime/hooks/sql/name-pattern.ts';
import { planCleanup } from '#runtime/hooks/sql/plan-cleanup.ts';

/** An instance WINCC as it may look after a restore, and everything that Siemens' printed script would hit. */
const configuration = 'CC_OS_7_14_11_03_09_15_20';
const runtime = `${configuration}R`;
const archive = 'OS-SRV-1A_CC_OS_7_14_11_03_09_15_20_TLG_F_201503101200_201503111200';
const alarms = 'OS-SRV-1A_OS_7_ALG_201503101200_201503111200';

let id = 4;
const database = (name: string, facts: Partial<DatabaseFacts> = {}): DatabaseFacts => {
  id += 1;
  return {
    name,
    databaseId: id,
    state: 'ONLINE',
    distributor: false,
    snapshot: false,
    hasSnapshots: false,
    mirrored: false,
    published: false,
    files: [`D:\\${name}.mdf`],
    ...facts,
  };
};

const actionOn = (facts: DatabaseFacts, version: string | undefined = 'V8.1') =>
  planCleanup([facts], version).databases[0]?.action;

describe('what is done with a database', () => {
  test.each([
    ['WinCC configuration', database(configuration), 'DETACH'],
    ['WinCC Runtime', database(runtime), 'DETACH'],
    ['archive that also begins with CC and has TLG', database(`CC_X_TLG_F_1`), 'DETACH'],
    ['tag log archive', database(archive), 'DETACH'],
    ['alarm archive', database(alarms), 'DETACH'],
    [
      'the same in another case, on an instance that tells cases apart',
      database(alarms.toLowerCase()),
      'DETACH',
    ],
    ['waiting for its files', database(archive, { state: 'RECOVERY_PENDING' }), 'DROP'],
    ['suspect', database(configuration, { state: 'SUSPECT' }), 'DETACH'],
    ['offline', database(configuration, { state: 'OFFLINE' }), 'DETACH'],
    ['still being restored', database(configuration, { state: 'RESTORING' }), 'REPORT'],
    ['still recovering', database(configuration, { state: 'RECOVERING' }), 'REPORT'],
    ['a closed-circuit television', database('CCTV'), 'REPORT'],
    ['a customer named Salgado', database('Salgado'), 'REPORT'],
    [
      'somebody else’s whose files are missing',
      database('Laboratory', { state: 'RECOVERY_PENDING' }),
      'REPORT',
    ],
    ['somebody else’s', database('Laboratory'), 'KEEP'],
    ['a bracket in its name', database('CC_[a]]b'), 'DETACH'],
    ['CC where the underscore is another character', database('CCxOS'), 'REPORT'],
    ['snapshot of a WinCC database', database(`${runtime}_ss`, { snapshot: true }), 'KEEP'],
    ['WinCC database with a snapshot', database(runtime, { hasSnapshots: true }), 'REPORT'],
    ['mirrored', database(runtime, { mirrored: true }), 'REPORT'],
    ['published', database(runtime, { published: true }), 'REPORT'],
    ['distribution database', database('CC_distribution', { distributor: true }), 'KEEP'],
    ['system database, whatever it is called', database('CC_master', { databaseId: 1 }), 'KEEP'],
  ])('%s', (_what, facts, action) => {
    expect(actionOn(facts)).toBe(action);
  });

  test('each database once, in the order of the instance, with a sentence that names it', () => {
    const databases = [database(archive), database('master', { databaseId: 1 }), database(`CC_Y_ALG_TLG_1`)];
    const plan = planCleanup(databases.toReversed(), 'V8.0');
    expect(plan.databases.map(({ database: { name } }) => name)).toEqual([
      'master',
      archive,
      'CC_Y_ALG_TLG_1',
    ]);
    for (const { database: facts, why } of plan.databases) expect(why).toContain(facts.name);
  });

  test('each rule says for which PCS 7 it was written; the rules alone decide what is cleared', () => {
    const row = (action: CleanupRule['action'], from: string, until: string): CleanupRule => ({
      ...{ priority: 1, state: '%', name: 'Lab%', why: 'of the test' },
      ...{ action, from, until },
    });
    const rules = [row('DETACH', 'V8.1', 'V8.1'), row('DROP', 'V9.0', 'V9.0 SP2')];
    const plan = (version: string) => planCleanup([database('Laboratory')], version, rules);
    const seen = ['V8.0', 'V8.1', 'V8.2', 'V9.0 SP2', 'V9.1'].map((version) => {
      const { gate, databases } = plan(version);
      return gate.kind === 'run' ? databases[0]?.action : gate.kind;
    });
    expect(seen).toEqual(['list-only', 'DETACH', 'list-only', 'DROP', 'skip']);
    expect(gateByVersion('V8.1', []).kind).toBe('list-only');
    expect(() => gateByVersion('V8.1', [row('DROP', 'the old one', 'V8.1')])).toThrow('is no PCS 7 version');
  });
});

describe('which PCS 7 is cleaned', () => {
  test.each([
    ['V8.0', 'run'],
    ['V8.0 SP2', 'run'],
    ['V8.1', 'run'],
    ['8.1', 'run'],
    ['V8.1 SP1', 'skip'],
    ['V8.2', 'skip'],
    ['V9.0 SP3 UC04', 'skip'],
    ['V10.0', 'skip'],
    ['V7.1 SP4', 'list-only'],
    ['TIA Portal', 'list-only'],
    ['', 'list-only'],
    [undefined, 'list-only'],
  ])('%s: %s', (version, kind) => {
    expect(gateByVersion(version).kind).toBe(kind);
  });
});

describe('LIKE as T-SQL means it', () => {
  test.each([
    ['CC_x', 'CC[_]%', true],
    ['CCTV', 'CC[_]%', false],
    ['abc', 'a_c', true],
    ['a.c', 'a.c', true],
    ['abc', 'a.c', false],
    ['b', '[a-c]', true],
    ['d', '[^a-c]', true],
    ['a', '[^a-c]', false],
    ['[x]', '[[]x]', true],
    ['two\nlines', 'two%', true],
    ['x', '', false],
  ])('%s like %s', (name, pattern, expected) => {
    expect(matchesPattern(name, pattern)).toBe(expected);
  });
});
