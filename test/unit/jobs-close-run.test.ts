import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, expect, it } from 'vitest';
import type { MachineReport } from '#contract/run-report.ts';
import { generateKeyPair } from '#images/format/minisign.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { closeRun } from '#pxe-server/jobs/close-run.ts';
import { findJob, openJob } from '#pxe-server/jobs/job-store.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import type { ServiceContext } from '#pxe-server/serve/service-context.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { arm, findArmed } from '#pxe-server/stations/arming.ts';
import { addStation, getStation } from '#pxe-server/stations/station-registry.ts';
import { somePassport } from '#test/support/some-passport.ts';

const folder = mkdtempSync(join(tmpdir(), 'rekindle-close-run-'));
afterAll(() => rmSync(folder, { recursive: true }));

const withMacs = (macs: readonly string[]): HardwarePassport => ({
  ...somePassport(),
  networkCards: somePassport().networkCards.map((card, at) => ({ ...card, mac: macs[at] ?? card.mac })),
});

it('ends a restore also when the passport cannot be kept: no station stays armed for ever', async () => {
  const state = openState(':memory:');
  const context = {
    state,
    paths: sitePaths(folder),
    signingKey: generateKeyPair(),
    journal: createJournal(state, { keptBoots: 5 }),
    log: pino({ level: 'silent' }),
  } as unknown as ServiceContext;
  addStation(state, { name: 'OS-SRV-1A', passport: somePassport(), by: 'test' });
  const other = withMacs(['52:54:00:00:00:11', '52:54:00:00:00:12']);
  addStation(state, { name: 'OS-SRV-1B', passport: other, by: 'test' });
  const until = new Date(Date.now() + 60_000);
  arm(state, { station: 'OS-SRV-1A', image: 'OS-SRV-1A@latest', until, by: 'root', acceptsReplaced: false });
  const id = openJob(state, {
    kind: 'restore',
    station: 'OS-SRV-1A',
    imageName: 'OS-SRV-1A_20261120T020000Z',
    manifestSha256: null,
    how: 'armed',
    technician: 'root',
    machine: '52:54:00:00:00:01',
  });
  const job = findJob(state, id);
  if (job === undefined) throw new Error('the job was opened');

  // The second card came out of station 1B, where it is still registered.
  const passport = withMacs(['52:54:00:00:00:01', '52:54:00:00:00:12']);
  const report: MachineReport = {
    formatVersion: 1,
    runId: '0d9d4a5e-6a0e-4c7a-9a51-2d7f0c1c7d11',
    purpose: 'recovery',
    outcome: 'restored',
    exitCode: 0,
    reasons: [],
    passport,
    differences: [],
    confirmed: ['network card 0000:00:03.0'],
    disks: [],
    unverified: [],
    steps: [],
    hooks: [],
  };
  await closeRun(context, job, report);
  expect(findArmed(state, 'OS-SRV-1A')).toBeUndefined();
  expect(findJob(state, id)).toMatchObject({ outcome: 'restored', runId: report.runId });
  expect(getStation(state, 'OS-SRV-1A').passport).toEqual(somePassport());
});
