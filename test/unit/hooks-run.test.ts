import { describe, expect, test } from 'vitest';
import { type Hook, hookPlanSchema } from '#contract/hook.ts';
import type { HookResult } from '#contract/hook-result.ts';
import type { HookWork } from '#contract/hook-work.ts';
import { bindWork, failuresOf, runPhase } from '#contract/run-hooks.ts';
import { collectStaged } from '#runtime/first-boot/staged-files.ts';

const hook = (id: string, after: string[] = [], timeoutSeconds = 30) => ({
  id,
  after,
  timeoutSeconds,
  kind: 'site',
  executable: `${id}.sh`,
  title: id,
  phases: ['offline'],
});
const directory = {
  domain: 'plant.example',
  controllers: ['dc1.plant.example'],
  ca: 'ca.pem',
  account: 'svc',
  passwordFile: 'svc.password',
};
const planOf = (hooks: unknown[], stationRole = 'server') => ({ station: 'OS-SRV-1A', stationRole, hooks });
const issues = (plan: unknown) => {
  const parsed = hookPlanSchema.safeParse(plan);
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};
const parse = (hooks: unknown[]): Hook[] => hookPlanSchema.parse(planOf(hooks)).hooks;

describe('a station’s hook plan', () => {
  test('a domain controller without a hook for its system state is refused', () => {
    expect(issues(planOf([hook('a')], 'domain-controller'))).toEqual([
      expect.stringContaining('it needs a hook of kind `domain-controller` with its `systemState`'),
    ]);
    const dc = { id: 'dc', kind: 'domain-controller', directory };
    expect(issues(planOf([dc], 'domain-controller'))).toEqual([
      expect.stringContaining('hooks.0.systemState'),
    ]);
    const whole = { ...dc, systemState: { from: 'only-controller-of-forest' } };
    expect(issues(planOf([whole], 'domain-controller'))).toEqual([]);
    expect(issues(planOf([whole], 'server'))).toEqual([expect.stringContaining('registered as server')]);
  });

  test('the last resort has to be written out', () => {
    const lastResort = (accepted: string) => ({
      id: 'dc',
      kind: 'domain-controller',
      directory,
      systemState: { from: 'restored-from-backup-value', accepted },
    });
    expect(issues(planOf([lastResort('yes')], 'domain-controller'))).toHaveLength(1);
    expect(issues(planOf([lastResort('not supported by Microsoft')], 'domain-controller'))).toEqual([]);
  });

  test('a system state from the store names a drive, and gets an hour when nobody says otherwise', () => {
    const parsed = (state: object, more: object = {}) => {
      const dc = { id: 'dc', kind: 'domain-controller', directory, systemState: state, ...more };
      return hookPlanSchema.safeParse(planOf([dc], 'domain-controller')).data?.hooks[0];
    };
    const stored = { from: 'backup-in-store', version: 'latest', drive: 'd:' };
    expect(parsed(stored)).toMatchObject({ systemState: { drive: 'D:' }, timeoutSeconds: 3600 });
    expect(parsed({ ...stored, version: '11/20/2026-02:00' })).toBeDefined();
    expect(parsed(stored, { timeoutSeconds: 60 })).toMatchObject({ timeoutSeconds: 60 });
    // What the runtime gets is parsed once more.
    expect(parsed(stored, { timeoutSeconds: 7200 })).toMatchObject({ timeoutSeconds: 7200 });
    expect(parsed({ from: 'only-controller-of-forest' })).toMatchObject({ timeoutSeconds: 300 });
    for (const wrong of [
      { drive: 'D' },
      { drive: '\\\\files\\backup' },
      { drive: 'A:' },
      { version: 'newest' },
    ])
      expect(parsed({ ...stored, ...wrong })).toBeUndefined();
    expect(parsed(stored, { timeoutSeconds: 7201 })).toBeUndefined();
  });

  test('WinCC and a rejoin are refused on a domain controller', () => {
    const dc = {
      id: 'dc',
      kind: 'domain-controller',
      directory,
      systemState: { from: 'only-controller-of-forest' },
    };
    const found = issues(
      planOf(
        [dc, { id: 'sql', kind: 'sql-management-data' }, { id: 'join', kind: 'domain-rejoin', directory }],
        'domain-controller',
      ),
    );
    expect(found).toEqual([expect.stringMatching(/^hooks.1.kind/), expect.stringMatching(/^hooks.2.kind/)]);
  });

  test('in a controller’s plan no first-boot step stands above its own', () => {
    const dc = {
      id: 'dc',
      kind: 'domain-controller',
      directory,
      systemState: { from: 'only-controller-of-forest' },
    };
    const order = { id: 'cards', kind: 'network-order' };
    const station = { ...hook('antivirus'), phases: ['offline', 'first-boot'] };
    expect(issues(planOf([hook('files'), dc, order, station], 'domain-controller'))).toEqual([]);
    for (const above of [order, station])
      expect(issues(planOf([above, dc], 'domain-controller'))).toEqual([
        expect.stringMatching(/^hooks.0.kind: .* move it below the hook `domain-controller`$/),
      ]);
  });

  test('nothing may keep the step from running that gives a controller its network back', () => {
    const dc = {
      ...{ id: 'dc', kind: 'domain-controller', directory, after: ['a'] },
      systemState: { from: 'restored-from-backup-value', accepted: 'not supported by Microsoft' },
    };
    const found = (state: object) => issues(planOf([hook('a'), state], 'domain-controller'));
    expect(found(dc)).toEqual([expect.stringMatching(/^hooks.1.after: .*gives the network back/)]);
    expect(found({ ...dc, quarantine: 'by-hand' })).toEqual([]);
    expect(found({ ...dc, after: [] })).toEqual([]);
  });

  test('names are unique, and a hook waits for one above it only', () => {
    expect(issues(planOf([hook('a'), hook('a')]))).toEqual(['hooks.1.id: `a` is there twice']);
    expect(issues(planOf([hook('a', ['b']), hook('b')]))).toEqual(['hooks.0.after: `b` is not above `a`']);
    expect(issues(planOf([hook('a', ['a'])]))).toEqual(['hooks.0.after: `a` is not above `a`']);
    expect(issues(planOf([hook('a', ['gone'])]))).toEqual(['hooks.0.after: there is no hook `gone`']);
  });
});

const done: HookResult = { outcome: 'done', sentence: 'It is there.' };

function work(over: Partial<HookWork<undefined>> = {}, calls: string[] = []): HookWork<undefined> {
  return {
    precondition: async () => ({ kind: 'ready' }),
    plan: async () => ({ lines: [{ kind: 'change', sentence: 'Copies a file.' }], planned: 7 }),
    apply: async (_context, planned) => void calls.push(`apply ${String(planned)}`),
    verify: async () => ({ result: done, evidence: [{ name: 'file', value: 'there' }] }),
    ...over,
  };
}

async function phase(
  hooks: Hook[],
  works: Record<string, HookWork<undefined> | undefined>,
  over: Partial<Parameters<typeof runPhase>[0]> = {},
) {
  return runPhase({
    phase: 'offline',
    hooks,
    earlier: [],
    dryRun: false,
    titleOf: ({ id }) => id,
    workOf: ({ id }) => {
      const found = works[id];
      return found === undefined ? undefined : bindWork(found, undefined);
    },
    now: () => new Date(),
    ...over,
  });
}

const outcomes = (records: Awaited<ReturnType<typeof phase>>) =>
  records.map(({ hook: id, result }) => `${id} ${result.outcome}`);

describe('one phase', () => {
  test('plan, apply and verify follow each other, and the record has what they saw', async () => {
    const calls: string[] = [];
    const [record] = await phase(parse([hook('a')]), { a: work({}, calls) });
    expect(calls).toEqual(['apply 7']);
    expect(record).toMatchObject({
      hook: 'a',
      kind: 'site',
      phase: 'offline',
      plan: [{ kind: 'change', sentence: 'Copies a file.' }],
      result: done,
      evidence: [{ name: 'file', value: 'there' }],
    });
  });

  test('a failure stops those that wait for it, however far away, and nobody else', async () => {
    const hooks = parse([hook('a'), hook('b', ['a']), hook('c', ['b']), hook('d')]);
    const fails = work({ apply: () => Promise.reject(new Error('the disk is full')) });
    const records = await phase(hooks, { a: fails, b: work(), c: work(), d: work() });
    expect(outcomes(records)).toEqual(['a failed', 'b skipped', 'c skipped', 'd done']);
    expect(records[0]?.result).toMatchObject({ sentence: 'the disk is full' });
    expect(records[1]?.result).toMatchObject({ blockedBy: 'a' });
    expect(records[2]?.result).toMatchObject({ blockedBy: 'b' });
    expect(failuresOf(records)).toEqual(['a: the disk is full']);
  });

  test('a hook that failed in an earlier phase does not go on in a later one', async () => {
    const hooks = parse([hook('a'), hook('b', ['a'])]);
    const earlier = await phase(
      hooks,
      { a: work({ precondition: async () => ({ kind: 'refuse', sentence: 'No account.' }) }), b: undefined },
      { phase: 'preflight' },
    );
    expect(outcomes(earlier)).toEqual(['a failed']);
    expect(outcomes(await phase(hooks, { a: work(), b: work() }, { earlier }))).toEqual([
      'a skipped',
      'b skipped',
    ]);
  });

  test('nothing to do is no reason to stop another', async () => {
    const skips = work({ precondition: async () => ({ kind: 'skip', reason: 'No SQL Server there.' }) });
    const records = await phase(parse([hook('a'), hook('b', ['a'])]), { a: skips, b: work() });
    expect(outcomes(records)).toEqual(['a skipped', 'b done']);
  });

  test('a dry run plans and applies nothing', async () => {
    const calls: string[] = [];
    const [record] = await phase(parse([hook('a')]), { a: work({}, calls) }, { dryRun: true });
    expect(calls).toEqual([]);
    expect(record?.plan).toHaveLength(1);
    expect(record?.result.outcome).toBe('skipped');
  });

  /** Its work listens to nobody, and is let go by the test. */
  async function tooLate(
    call: 'precondition' | 'apply',
    graceSeconds: number,
    letGo: (end: () => void) => void,
  ) {
    const calls: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const stuck = {
      precondition: async () => ({ kind: 'ready' as const }),
      [call]: async () => {
        await promise;
        calls.push('a ended');
        return { kind: 'ready' as const };
      },
    };
    const followed = (id: string) => work({ verify: async () => verified(id) });
    const verified = (id: string) => {
      calls.push(`${id} verified`);
      return { result: done, evidence: [] };
    };
    const records = await phase(
      parse([hook('a', [], 1), hook('b')]),
      { b: followed('b') },
      {
        graceSeconds,
        workOf: ({ id }, _records, signal) => {
          if (id === 'a') signal.addEventListener('abort', () => letGo(resolve));
          const late = { ...work({ apply: async () => void calls.push('a applied') }), ...stuck };
          return bindWork(
            id === 'a' ? { ...late, verify: async () => verified('a') } : followed(id),
            undefined,
          );
        },
      },
    );
    resolve();
    await new Promise(setImmediate);
    return { records, calls };
  }

  test('a hook that takes too long has failed, and the next one starts when its work has ended', async () => {
    const { records, calls } = await tooLate('apply', 30, (end) => setTimeout(end, 50));
    expect(outcomes(records)).toEqual(['a failed', 'b done']);
    expect(records[0]?.result).toMatchObject({ sentence: 'Hook a was not ready after 1 s.' });
    expect(calls).toEqual(['a ended', 'b verified']);
  });

  test('one whose time was up before it changed anything changes nothing afterwards', async () => {
    const { calls } = await tooLate('precondition', 30, (end) => setTimeout(end, 50));
    expect(calls).toEqual(['a ended', 'b verified']);
  });

  test('work that cannot be stopped is waited for no longer than that, and the record says so', async () => {
    const { records, calls } = await tooLate('apply', 0.1, () => {});
    expect(outcomes(records)).toEqual(['a failed', 'b done']);
    expect(records[0]?.result).toMatchObject({
      sentence: expect.stringMatching(/^Hook a was not ready after 1 s\. .* may still be running\.$/),
    });
    expect(calls).toEqual(['b verified', 'a ended']);
  });

  test('what a dropped hook stages later is refused, and never part of the first boot', () => {
    const [late, other] = parse([hook('a'), hook('b')]) as [Hook, Hook];
    const staged = collectStaged();
    const [stage, others] = [staged.stageOf(late, 'a'), staged.stageOf(other, 'b')];
    stage.addStep({ command: 'echo before' });
    staged.drop('a');
    expect(() => stage.addStep({ command: 'echo late' })).toThrow('hook a has failed already');
    expect(() => stage.addFile({ name: 'late', bytes: Buffer.alloc(1) })).toThrow('has failed already');
    others.addStep({ command: 'echo other' });
    expect(staged.steps.map(({ command }) => command)).toEqual(['echo other']);
    expect(staged.files).toEqual([]);
  });
});
