import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hookPlanSchema } from '#contract/hook.ts';
import { keepPreflight } from '#pxe-server/hooks/hook-store.ts';
import { openJob } from '#pxe-server/jobs/job-store.ts';
import { mintToken } from '#pxe-server/jobs/token.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { startApiService } from '#test/support/api-on-loopback.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { writeImage } from '#test/support/store-images.ts';

const station = 'OS-SRV-1A';

it('a store that cannot be read for a moment does not use up what is given out once', async () => {
  await using service = await startApiService();
  const { context, paths } = service;
  const { state, store } = context;
  addStation(state, { name: station, passport: somePassport(), by: 'the test' });
  const image = { station, utc: '20261120T020000Z', blocks: [Buffer.alloc(64, 1)] };
  const { utc } = await writeImage(store, context.signingKey, image);
  mkdirSync(join(paths.hooks, 'bin'), { recursive: true });
  writeFileSync(join(paths.hooks, 'bin', 'mark.sh'), '#!/bin/sh\n');
  const hook = { id: 'mark', kind: 'site', title: 'Marks', executable: 'mark.sh', phases: ['offline'] };
  const job = openJob(state, {
    ...{ kind: 'restore', station, imageName: `${station}_${utc}`, manifestSha256: null },
    ...{ how: 'technician', technician: 'meier', machine: '52:54:00:00:00:01' },
  });
  keepPreflight(state, job, hookPlanSchema.parse({ station, stationRole: 'server', hooks: [hook] }), []);
  const grant = { kind: 'job', technician: 'meier', how: 'technician', station, job } as const;
  const token = mintToken(state, { ...grant, expiresAt: Date.now() + 60_000 });
  const material = () => service.ask('POST', `/jobs/${job}/hooks/material`, { token });

  renameSync(store, `${store}.away`);
  expect((await material()).status).toBeGreaterThanOrEqual(400);
  renameSync(`${store}.away`, store);
  expect(await material()).toMatchObject({
    status: 200,
    json: { files: [{ hook: 'mark', name: 'mark.sh' }], failed: [] },
  });
  expect(await material()).toMatchObject({ status: 409, json: { code: 'material-given' } });
});
