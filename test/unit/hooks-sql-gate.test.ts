import { describe, expect, test } from 'vitest';
import type { FirstBootStep } from '#contract/first-boot.ts';
import { hookPlanSchema } from '#contract/hook.ts';
import { serverHooks } from '#pxe-server/hooks/server-hooks.ts';
import { offlineHooks } from '#runtime/hooks/offline-hooks.ts';
import { clearScriptFile } from '#runtime/hooks/sql/sqlcmd-step.ts';

/** What the clean-up does for which PCS 7 version, before the restore and in the runtime. */

const facts = {
  ...{ product: '', edition: '', build: '7601', computerName: 'OS-SRV-1A', domain: '' },
  role: 'server',
};

function contexts(settings: object, sqlInstances: readonly string[] | undefined) {
  const [hook] = hookPlanSchema.parse({
    station: 'OS-SRV-1A',
    stationRole: 'server',
    hooks: [{ id: 'sql', kind: 'sql-management-data', ...settings }],
  }).hooks;
  const windows = sqlInstances === undefined ? undefined : { ...facts, sqlInstances };
  const files = new Map<string, Uint8Array>();
  const steps: Pick<FirstBootStep, 'command'>[] = [];
  const stage = {
    addFile: ({ name, bytes }: { name: string; bytes: Uint8Array }) => void files.set(name, bytes),
    addStep: (step: Pick<FirstBootStep, 'command'>) => void steps.push(step),
  };
  const context = {
    hook,
    image: { manifest: { windows } },
    system: { kind: 'windows', facts: windows ?? null },
    stage,
  };
  return { context: context as never, files, steps };
}

const server = serverHooks['sql-management-data']?.preflight;
const offline = offlineHooks['sql-management-data']?.offline;

describe.each([
  ['preflight', server],
  ['offline', offline],
])('%s', (_phase, work) => {
  test.each([
    ['V8.0', ['WINCC'], 'ready'],
    ['V8.1', ['SQLEXPRESS', 'wincc'], 'ready'],
    ['V8.1 SP1', ['WINCC'], 'skip'],
    ['V9.0', ['WINCC'], 'skip'],
    [undefined, ['WINCC'], 'ready'],
    ['V8.1', [], 'refuse'],
    // An image that says nothing of its registry is no reason to refuse.
    ['V8.1', undefined, 'ready'],
  ] as const)('PCS 7 %s with the instances %j: %s', async (pcs7, instances, kind) => {
    const { context } = contexts(pcs7 === undefined ? {} : { pcs7 }, instances);
    expect((await work?.precondition(context))?.kind).toBe(kind);
  });
});

test.each([
  ['V8.1', 'apply', 'change'],
  [undefined, 'list', 'warning'],
])('PCS 7 %s is staged to %s, and its plan says so', async (pcs7, mode, kind) => {
  const { context, files, steps } = contexts(pcs7 === undefined ? {} : { pcs7 }, ['WINCC']);
  expect((await server?.plan(context))?.lines).toMatchObject([{ kind }]);
  await offline?.apply?.(context, undefined);
  const script = Buffer.from(files.get(clearScriptFile) ?? []).toString('utf16le');
  expect(script.charCodeAt(0)).toBe(0xfeff);
  expect(script).toContain(`SET @mode = N'${mode}'`);
  expect(steps).toMatchObject([{ command: 'clear-management-data.cmd' }]);
});

test('what the station printed becomes the result: the exit code of sqlcmd is not the last word', async () => {
  const output = 'database DETACH done 0 CC_1\ndatabase REPORT listed 0 CCTV\n';
  const reported = { result: { outcome: 'done' }, evidence: [{ name: 'output', value: output }] };
  const confirmed = await serverHooks['sql-management-data']?.confirm?.({} as never, reported as never);
  expect(confirmed).toEqual({
    result: {
      outcome: 'unverified',
      sentence: '1 databases cleared; a person has to decide: CCTV',
    },
    evidence: [
      { name: 'DETACH CC_1', value: 'done' },
      { name: 'REPORT CCTV', value: 'listed' },
    ],
  });
});
