import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { afterAll, expect, it } from 'vitest';
import type { RunReport } from '#contract/run-report.ts';
import { generateKeyPair } from '#images/format/minisign.ts';
import { createConfirmations } from '#pxe-server/hooks/first-boot-confirmations.ts';
import { closeFirstBoot, findJobHooks, listUnconfirmed } from '#pxe-server/hooks/hook-store.ts';
import { takeFirstBootReport } from '#pxe-server/hooks/take-first-boot-report.ts';
import { amendReport } from '#pxe-server/jobs/amend-report.ts';
import { checklistFor, tickSettled } from '#pxe-server/jobs/checklist.ts';
import { findJob } from '#pxe-server/jobs/job-store.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import type { ServiceContext } from '#pxe-server/serve/service-context.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { lastWordOf, openReportedController } from '#test/support/reported-controller.ts';
import { reportedMachine } from '#test/support/reported-job.ts';

const folder = mkdtempSync(join(tmpdir(), 'rekindle-confirm-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Its agent has sent its last report. Nobody listens: its own word is all there is. */
async function reportedController(context: ServiceContext) {
  const opened = await openReportedController(context);
  const job = findJob(context.state, opened.jobId);
  const hooks = findJobHooks(context.state, opened.jobId);
  if (job === undefined || hooks === undefined) throw new Error('the job was opened');
  takeFirstBootReport(context, job, hooks, lastWordOf(opened));
  return opened;
}

function makeContext(): ServiceContext {
  const site = mkdtempSync(join(folder, 'site-'));
  const state = openState(':memory:');
  return {
    state,
    paths: sitePaths(site),
    store: join(site, 'store'),
    signingKey: generateKeyPair(),
    journal: createJournal(state, { keptBoots: 5 }),
    log: pino({ level: 'silent' }),
  } as unknown as ServiceContext;
}

const firstBootOf = ({ hooks }: RunReport) => hooks.find(({ phase }) => phase === 'first-boot');
const triesOf = ({ journal }: ServiceContext) =>
  journal
    .boots(reportedMachine)
    .flatMap((boot) => boot.map(({ sentence }) => sentence))
    .filter((sentence) => sentence.startsWith('first boot'));

it('ticks what the service has seen when it closes the report, and leaves the rest to a person', async () => {
  const context = makeContext();
  const { report } = await reportedController(context);
  createConfirmations(context);
  await expect.poll(() => report().state).toBe('closed');
  const ticked = Object.fromEntries(report().checklist.map(({ id, ticked }) => [id, ticked]));
  expect(ticked).toMatchObject({
    ...{ 'event-1587': null, replication: null, quarantine: null },
    sysvol: { by: 'the service', note: expect.stringMatching(/^SYSVOL has come from a partner/) },
  });
  expect(listUnconfirmed(context.state)).toEqual([]);
});

it('tries again while the image cannot be read, says so in the journal, and closes when it can', async () => {
  const context = makeContext();
  const { report } = await reportedController(context);
  renameSync(context.store, `${context.store}.away`);
  createConfirmations(context, [100, 3_600_000, 1]);
  await expect.poll(() => triesOf(context).length).toBe(2);
  expect(triesOf(context)[1]).toMatch(/^first boot not confirmed, tried again in 60 min: .*manifest/);
  expect([report().state, listUnconfirmed(context.state).length]).toEqual(['awaiting-first-boot', 1]);
  renameSync(`${context.store}.away`, context.store);
  // The service is started again.
  createConfirmations(context);
  await expect.poll(() => report().state).toBe('closed');
  expect(report().amendments.at(-1)).toMatchObject({ by: 'the service' });
});

it('does not wait for ever for an image that has gone: unverified, with the reason', async () => {
  const context = makeContext();
  const { report } = await reportedController(context);
  rmSync(context.store, { recursive: true });
  createConfirmations(context, [10, 10]);
  await expect.poll(() => report().state).toBe('closed');
  expect(triesOf(context)).toHaveLength(2);
  expect(firstBootOf(report())?.result).toMatchObject({
    outcome: 'unverified',
    sentence: expect.stringMatching(
      /The partners are asked\. It could not be confirmed from here: .*manifest/,
    ),
  });
});

it('a report that cannot be written stays open for the next start, and a person’s word ends the waiting', async () => {
  const context = makeContext();
  const { report, reportFile } = await reportedController(context);
  const bytes = readFileSync(reportFile);
  writeFileSync(reportFile, 'half');
  createConfirmations(context, [10]);
  await expect.poll(() => triesOf(context).at(-1)).toMatch(/tried again at the next start of the service/);
  expect(listUnconfirmed(context.state)).toHaveLength(1);
  writeFileSync(reportFile, bytes);
  const stopped = createConfirmations(context);
  await stopped.close();
  expect(report().state).toBe('awaiting-first-boot');
  expect(listUnconfirmed(context.state)).toHaveLength(1);
  closeFirstBoot(context.state, report().jobId);
  expect(listUnconfirmed(context.state)).toEqual([]);
});

it('a report that was archived or removed is not waited for at any later start', async () => {
  const context = makeContext();
  const { reportFile } = await reportedController(context);
  rmSync(reportFile);
  createConfirmations(context, [3_600_000]);
  await expect.poll(() => listUnconfirmed(context.state)).toEqual([]);
  expect(triesOf(context)).toEqual([]);
});

it('does not tick an item of an earlier version that asks for more', () => {
  const list = [{ id: 'replication', what: 'See event 1587, and that changes replicate.', ticked: null }];
  expect(tickSettled(list, [{ item: 'replication', note: 'seen' }], new Date())).toEqual(list);
});

it('a report is on the disk, state and all, before anybody is told of it', async () => {
  const context = makeContext();
  const { reportFile } = await reportedController(context);
  const synchronous = () => context.state.prepare('PRAGMA synchronous').get()?.['synchronous'];
  let meanwhile: unknown;
  amendReport(context.state, context.signingKey, dirname(reportFile), () => {
    meanwhile = synchronous();
    return undefined;
  });
  // FULL and NORMAL of sqlite.org/pragma.html.
  expect([meanwhile, synchronous()]).toEqual([2, 1]);
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
