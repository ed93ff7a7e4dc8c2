import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { announcedStore } from '#test/support/announced-store.ts';
import { MiB, makeBlankDisk, makeTemporaryFolder, noise, writeAt } from '#test/support/restore-demo-disk.ts';

/** Only ever "not faster than": how slow this machine is today is nobody's promise. */

let folder: ReturnType<typeof makeTemporaryFolder>;
let disk: string;
const size = 24 * MiB;

beforeAll(() => {
  folder = makeTemporaryFolder();
  disk = makeBlankDisk(path.join(folder.path, 'disk.img'), size);
  writeAt(disk, noise('content', size), 0);
});
afterAll(() => folder[Symbol.dispose]());

function store(name: string) {
  const made = path.join(folder.path, name);
  fs.mkdirSync(made);
  return announcedStore(made);
}

test.each([1, 4])('bytes a second that %i workers together read and send', async (workers) => {
  const bytesPerSecond = 12 * MiB;
  const { stats } = await captureDisk({
    path: disk,
    store: await store(`rate-${workers}`),
    workers,
    limits: { bytesPerSecond },
  });
  expect(stats.readBytes).toBe(size);
  expect(stats.seconds).toBeGreaterThanOrEqual(size / bytesPerSecond);
});

test('a second capture sends nothing, and what it reads is held back all the same', async () => {
  const into = await store('again');
  await captureDisk({ path: disk, store: into });
  const { stats } = await captureDisk({ path: disk, store: into, limits: { bytesPerSecond: 24 * MiB } });
  expect(stats.newChunks).toBe(0);
  expect(stats.seconds).toBeGreaterThanOrEqual(1);
});

test('the share of their time that the workers work', async () => {
  const [workers, loadPercent] = [2, 25];
  const { stats } = await captureDisk({
    path: disk,
    store: await store('load'),
    workers,
    limits: { loadPercent },
  });
  expect(stats.workedSeconds).toBeGreaterThan(0);
  // Each rests three times as long as it worked; the busier one worked at least half of all.
  expect(stats.seconds).toBeGreaterThanOrEqual((stats.workedSeconds / workers) * (100 / loadPercent) * 0.99);
});

test('somebody who stops a slow capture does not wait for it', async () => {
  const controller = new AbortController();
  const startedAt = performance.now();
  const running = captureDisk({
    path: disk,
    store: await store('stopped'),
    workers: 1,
    limits: { bytesPerSecond: 100 * 1024 },
    signal: controller.signal,
  });
  setTimeout(() => controller.abort(), 500);
  await expect(running).rejects.toMatchObject({ code: 'interrupted' });
  // 24 MiB at this rate are four minutes.
  expect(performance.now() - startedAt).toBeLessThan(60_000);
});
