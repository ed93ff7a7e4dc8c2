import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { soleController, verdictEvidence } from '#contract/domain-files.ts';
import { hookPlanSchema } from '#contract/hook.ts';
import { imageManifestSchema } from '#images/format/image-manifest.ts';
import { generateKeyPair } from '#images/format/minisign.ts';
import { planLines } from '#pxe-server/hooks/controller-plan-lines.ts';
import { runPreflight, serverHookOf } from '#pxe-server/hooks/run-preflight.ts';
import { smallImage } from '#test/support/small-image.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** The directory is asked once in a preflight, so that its record cannot contradict itself. Here nobody listens. */

const password = 'password';
let siteFolder: string;
beforeEach(() => {
  siteFolder = mkdtempSync(join(tmpdir(), 'rekindle-preflight-'));
  for (const name of ['ca.pem', password]) writeFileSync(join(siteFolder, name), 'any\n', { mode: 0o600 });
});
afterEach(() => rmSync(siteFolder, { recursive: true }));

const small = smallImage('DC1', somePassport(), { sequence: 1, previousManifestSha256: null });
const manifest = imageManifestSchema.parse({
  ...{ ...small.manifest, stationRole: 'domain-controller' },
  domainController: {
    invocationId: '11111111-2222-3333-4444-555555555555',
    ...{ highestCommittedUsn: '1', otherControllers: [] },
  },
});
const key = generateKeyPair();
const image = {
  ref: 'DC1@latest',
  manifest,
  store: { source: { kind: 'directory', path: '/nowhere' }, key },
} as const;
const directory = { domain: 'lab.example', controllers: ['localhost'], ca: 'ca.pem', account: 'svc' };
const planOf = (hook: { readonly kind: string }) =>
  hookPlanSchema.parse({
    ...{ station: 'DC1', stationRole: hook.kind === 'domain-controller' ? hook.kind : 'server' },
    hooks: [{ id: 'state', directory: { ...directory, passwordFile: password }, ...hook }],
  });
const controller = { kind: 'domain-controller', systemState: { from: 'only-controller-of-forest' } };

it.each([controller, { kind: 'domain-rejoin' }])('$kind looks once, and goes by that', async (hook) => {
  const plan = planOf(hook);
  const [first] = plan.hooks;
  if (first === undefined) throw new Error('the plan has a hook');
  const signal = new AbortController().signal;
  const work = serverHookOf(first)?.bindPreflight({ plan, image, siteFolder, signal, earlier: [] });
  expect(await work?.precondition()).toEqual({ kind: 'ready' });
  // No look is possible from here on.
  rmSync(join(siteFolder, password));
  const planned = await work?.plan();
  expect(planned?.lines.length).toBeGreaterThan(0);
  expect((await work?.verify(planned?.planned))?.result.outcome).toMatch(/done|unverified/);
});

it('a controller’s record has its verdict once', async () => {
  const [record] = await runPreflight(planOf(controller), image, siteFolder);
  expect(record?.result.outcome).toBe('done');
  expect(record?.evidence.filter(({ name }) => name === verdictEvidence)).toEqual([
    { name: verdictEvidence, value: soleController },
  ]);
});

it('says before the restore that a share with the system state gets no credential', () => {
  const verdict = {
    ...({ kind: 'state-hook-required', findings: [], confirm: [] } as const),
    tombstoneLifetimeDays: 180,
  } as const;
  const warningsFor = (target: string) =>
    planLines(verdict, {
      systemState: { from: 'backup', version: '11/20/2026-02:00', target },
      quarantine: 'network-off',
    }).filter(({ kind }) => kind === 'warning');
  expect(warningsFor('E:')).toEqual([]);
  expect(warningsFor('\\\\files\\backup')).toMatchObject([
    { sentence: expect.stringContaining('gets no credential') },
  ]);
});
