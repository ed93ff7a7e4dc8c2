import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listImages } from '#images/stores/image-files.ts';
import { openJob } from '#pxe-server/jobs/job-store.ts';
import { arm } from '#pxe-server/stations/arming.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { somePassport } from '#test/support/some-passport.ts';

import { makeUpkeepSite, type Ran, type UpkeepSite } from '#test/support/upkeep-site.ts';

/** `rekindle image prune`, as it is typed. */

let upkeep: UpkeepSite;
beforeEach(async () => {
  upkeep = await makeUpkeepSite();
});
afterEach(() => upkeep[Symbol.dispose]());

const json = (ran: Ran) => JSON.parse(ran.stdout);

describe('image prune', () => {
  test('shows what stays and why, removes the rest, and never what is in use', async () => {
    const { store, state, write, rekindle } = upkeep;
    for (let day = 1; day <= 9; day++) await write('A', day, [day]);
    await write('B', 1, [20]);
    addStation(state, { name: 'A', passport: somePassport(), by: 'test' });
    const asked = { station: 'A', manifestSha256: null, how: 'technician', technician: 'erika' } as const;
    openJob(state, { kind: 'restore', imageName: 'A_20261102T020000Z', ...asked, machine: 'm' });
    arm(state, {
      station: 'A',
      image: 'A@20261103T020000Z',
      until: new Date(0),
      by: 'erika',
      acceptsReplaced: false,
    });
    const dry = await rekindle('image', 'prune', '--keep-count', '2', '--dry-run');
    expect(dry.status, dry.stderr).toBe(0);
    const lines = dry.stdout.split('\n').filter((line) => line.includes('@'));
    expect(lines.filter((line) => line.startsWith('keep'))).toHaveLength(5);
    expect(dry.stdout).toMatch(/keep {4}A@20261109T020000Z +last good image, count/);
    expect(dry.stdout).toMatch(/keep {4}A@20261102T020000Z\s+restore job .* is open/);
    expect(dry.stdout).toMatch(/keep {4}A@20261103T020000Z\s+station is armed/);
    expect(await listImages(store)).toHaveLength(10);
    expect((await rekindle('image', 'prune', '--keep-count', '2', '--json')).status).toBe(0);
    expect((await listImages(store)).map(({ station, utc }) => `${station}${utc.slice(6, 8)}`)).toEqual([
      'A02',
      'A03',
      'A08',
      'A09',
      'B01',
    ]);
    // The chunks of the removed ones are gc's: they are young.
    expect(json(await rekindle('image', 'gc', '--json'))).toMatchObject({
      chunks: { young: 5, removed: 0, kept: 5 },
    });
  });

  test('an image that a verification found damaged neither counts nor goes', async () => {
    const { write, file, rekindle } = upkeep;
    for (let day = 1; day <= 3; day++) await write('A', day, [day]);
    fs.rmSync(file(3));
    expect((await rekindle('image', 'verify', 'A')).status).toBe(14);
    const { images } = json(await rekindle('image', 'prune', 'A', '--keep-count', '1', '--json'));
    expect(images).toMatchObject([
      { ref: 'A@20261102T020000Z', keep: true },
      { ref: 'A@20261101T020000Z', keep: false },
      {
        ref: 'A@20261103T020000Z',
        keep: true,
        reasons: [expect.stringContaining('damaged'), 'what @latest means'],
      },
    ]);
  });
});
