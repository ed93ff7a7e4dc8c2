import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, expect, it } from 'vitest';
import { ownReportEvidence } from '#contract/domain-files.ts';
import { generateKeyPair } from '#images/format/minisign.ts';
import { findJobHooks } from '#pxe-server/hooks/hook-store.ts';
import { confirmFirstBoot, takeFirstBootReport } from '#pxe-server/hooks/take-first-boot-report.ts';
import { checklistFor, tickSettled } from '#pxe-server/jobs/checklist.ts';
import { findJob } from '#pxe-server/jobs/job-store.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import type { ServiceContext } from '#pxe-server/serve/service-context.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { openReportedJob } from '#test/support/reported-job.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { writeImage } from '#test/support/store-images.ts';

const folder = mkdtempSync(join(tmpdir(), 'rekindle-confirm-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('ticks what the service has seen when it closes the report, and leaves the rest to a person', async () => {
  const signingKey = generateKeyPair();
  const state = openState(':memory:');
  const context = {
    state,
    paths: sitePaths(folder),
    store: join(folder, 'store'),
    signingKey,
    journal: createJournal(state, { keptBoots: 5 }),
    log: pino({ level: 'silent' }),
  } as unknown as ServiceContext;
  addStation(state, { name: 'DC1', passport: somePassport(), by: 'test', role: 'domain-controller' });
  mkdirSync(context.store);
  const { utc } = await writeImage(context.store, signingKey, {
    ...{ station: 'DC1', utc: '20261120T020000Z', blocks: [Buffer.alloc(64, 1)] },
  });
  for (const name of ['ca.pem', 'password']) writeFileSync(join(folder, name), 'any\n', { mode: 0o600 });
  // Nobody listens: no partner can be asked, and the controller's own word is all there is.
  const directory = { domain: 'lab.example', controllers: ['localhost'], ca: 'ca.pem', account: 'svc' };
  const hook = {
    ...{ id: 'state', kind: 'domain-controller', directory: { ...directory, passwordFile: 'password' } },
    systemState: { from: 'restored-from-backup-value', accepted: 'not supported by Microsoft' },
  };
  const { jobId, plan, report } = await openReportedJob(context, 'DC1', [hook], {
    ...{ imageName: `DC1_${utc}`, stationRole: 'domain-controller' },
  });
  const job = findJob(state, jobId);
  const hooks = findJobHooks(state, jobId);
  if (job === undefined || hooks === undefined) throw new Error('the job was opened');
  takeFirstBootReport(context, job, hooks, {
    ...{ formatVersion: 1, jobId, sequence: 1, last: true, agent: 'windows' },
    steps: [
      {
        ...{ hook: 'state', startedAt: new Date().toISOString(), seconds: 1 },
        result: { outcome: 'unverified', sentence: 'The partners are asked.' },
        evidence: [
          { name: ownReportEvidence.event1109, value: 'yes' },
          { name: ownReportEvidence.event2095, value: 'no' },
          { name: ownReportEvidence.notWritable, value: 'no' },
          { name: ownReportEvidence.restoreCount, value: '1' },
          { name: ownReportEvidence.sysvol, value: 'from-partner' },
        ],
      },
    ],
  });
  await confirmFirstBoot(context, job, plan);
  const closed = report();
  expect(closed.state).toBe('closed');
  const ticked = Object.fromEntries(closed.checklist.map(({ id, ticked }) => [id, ticked]));
  expect(ticked).toMatchObject({
    ...{ 'event-1587': null, replication: null, quarantine: null },
    sysvol: { by: 'the service', note: expect.stringMatching(/^SYSVOL has come from a partner/) },
  });
});

it('leaves a person’s tick as it is, and knows each item by its own name', () => {
  const by = { at: '2026-11-28T04:00:00Z', by: 'meier', note: 'by hand' };
  const list = checklistFor('domain-controller').map((item) =>
    item.id === 'replication' ? { ...item, ticked: by } : item,
  );
  const settled = ['replication', 'event-1587'].map((item) => ({ item, note: 'seen' }));
  const ticked = tickSettled(list, settled, new Date('2026-11-28T05:00:00Z')).filter(
    ({ ticked }) => ticked !== null,
  );
  expect(ticked.map(({ id, ticked }) => [id, ticked])).toEqual([
    ['event-1587', { at: '2026-11-28T05:00:00.000Z', by: 'the service', note: 'seen' }],
    ['replication', by],
  ]);
});
