import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createBootApp } from '#pxe-server/http/boot-app.ts';
import { createMetrics } from '#pxe-server/serve/metrics.ts';
import { arm } from '#pxe-server/stations/arming.ts';
import { createRegistryDecider } from '#pxe-server/stations/registry-decider.ts';
import { packFile } from '#pxe-server/stations/station-pack.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { startApiService } from '#test/support/api-on-loopback.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { writeImage } from '#test/support/store-images.ts';

const station = 'OS-SRV-1A';
const mac = somePassport().networkCards[0]?.mac ?? '';

test('pain 18: an armed station starts the recovery from every F12 until the restore is reported, then its own disk', async () => {
  await using service = await startApiService();
  const { context, paths } = service;
  const { state, configuration, journal } = context;
  addStation(state, { name: station, passport: somePassport(), by: 'test' });
  mkdirSync(paths.packs, { recursive: true });
  writeFileSync(packFile(paths, station), 'not booted here');
  const utc = '20261120T020000Z';
  await writeImage(context.store, context.signingKey, { station, utc, blocks: [Buffer.alloc(1 << 20, 'x')] });
  const app = createBootApp({
    ...{ state, paths, configuration, journal, loaders: new Map(), metrics: createMetrics() },
    decider: createRegistryDecider(state, configuration),
    onError: (doing, error) => {
      throw new Error(doing, { cause: error });
    },
  });
  await using boot = createServer(app).listen(0, '127.0.0.1');
  await once(boot, 'listening');
  const { port } = boot.address() as AddressInfo;
  const script = async () => (await fetch(`http://127.0.0.1:${port}/boot/script.ipxe?mac=${mac}`)).text();
  const ownDiskFirst = 'choose --default local-disk --timeout 10000 choice || goto local_disk';

  expect(await script()).toContain(ownDiskFirst);
  const image = `${station}@${utc}`;
  arm(state, { station, image, until: new Date(Date.now() + 60_000), by: 'test', acceptsReplaced: false });
  const restore = async (outcome: string, runId: string) => {
    expect(await script()).toContain(`recovery of ${station}`);
    const passport = somePassport();
    const { armed } = (await service.ask('POST', '/armed', { json: { passport } })).json as {
      armed: { token: string };
    };
    const asked = { token: armed.token, json: { station, image, passport } };
    const job = (await service.ask('POST', '/jobs', asked)).json;
    const report = {
      ...{ formatVersion: 1, runId, purpose: 'recovery', outcome, exitCode: 0, reasons: [], passport },
      ...{ differences: [], confirmed: [], disks: [], unverified: [], steps: [] },
    };
    const sent = { token: String(job['token']), json: report };
    expect((await service.ask('POST', `/jobs/${job['jobId']}/report`, sent)).status).toBe(204);
  };
  // A power cut, a failure: the permit is still there. A restore that is done uses it up.
  await restore('failed', '0d9d4a5e-6a0e-4c7a-9a51-000000000001');
  await restore('restored', '0d9d4a5e-6a0e-4c7a-9a51-000000000002');
  expect(await script()).toContain(ownDiskFirst);
  expect(await script()).not.toContain('/boot/vmlinuz');
});
