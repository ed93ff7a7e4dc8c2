import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { parseDiskIndex } from '#images/format/disk-index.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import { generateKeyPair } from '#images/format/minisign.ts';
import { announceReading } from '#images/stores/announce-reading.ts';
import { announcementFolder } from '#images/stores/announcement.ts';
import { imageFolder, listImages } from '#images/stores/image-files.ts';
import { collectGarbage } from '#images/upkeep/gc.ts';
import { listPruned, prunedFolder } from '#images/upkeep/pruned-images.ts';
import { type RemoveOptions, removeImages } from '#images/upkeep/remove-images.ts';
import { chunkFileIn, mountSmallDisk } from '#test/support/every-store.ts';
import { makeTemporaryFolder, noise, run } from '#test/support/restore-demo-disk.ts';
import { brokenChunks, writeImage } from '#test/support/store-images.ts';

/** An image that somebody restores stays, and so do its chunks, whatever prune and gc do at the same time. */

const key = generateKeyPair();
const block = (n: number): Buffer => noise(`block ${n}`, 3000);
const isStored = (n: number): boolean => fs.existsSync(chunkFileIn(store, chunkIdOf(block(n))));

let folder: ReturnType<typeof makeTemporaryFolder>;
let store: string;
let old: ImageName;
beforeEach(async () => {
  folder = makeTemporaryFolder();
  store = path.join(folder.path, 'store');
  fs.mkdirSync(path.join(store, 'chunks.castr'), { recursive: true });
  old = await write('20261120T020000Z', 1, 2);
  await write('20261121T020000Z', 2, 3);
});
afterEach(() => folder[Symbol.dispose]());

const write = (utc: string, ...numbers: number[]): Promise<ImageName> =>
  writeImage(store, key, { station: 'A', utc, blocks: numbers.map(block) });
const indexOf = (name: ImageName) => {
  const file = path.join(imageFolder(store, name), 'A_disk0.caibx');
  return parseDiskIndex(fs.readFileSync(file), file);
};
const read = (name: ImageName) => announceReading(store, name, 'a restore', [indexOf(name)]);
const prune = (options: Partial<RemoveOptions> = {}) =>
  removeImages({ store, names: [old], silentMs: 60_000, neededBy: () => new Map(), ...options });
const gc = () =>
  collectGarbage({
    store,
    publicKey: key,
    graceMs: -1000,
    silentMs: 600_000,
    ignoreDamaged: [],
    dryRun: false,
  });
const days = async () => (await listImages(store)).map(({ utc }) => utc.slice(6, 8));
const at = (phase: 'hide' | 'look' | 'remove', work: () => Promise<unknown>) => ({
  onPhase: async (now: string) => {
    if (now === phase) await work();
  },
});

test('a restore that began after prune had decided keeps its image, and is named', async () => {
  let reading: Awaited<ReturnType<typeof read>> | undefined;
  const begin = async () => {
    reading = await read(old);
  };
  expect(await prune(at('hide', begin))).toMatchObject({
    removed: [],
    kept: [{ name: old, reasons: [expect.stringContaining('a restore on')] }],
  });
  expect(await days()).toEqual(['20', '21']);
  await gc();
  expect(await brokenChunks(store)).toEqual([]);
  if (reading?.kind !== 'announced') throw new Error('it was not announced');
  await reading.announcement[Symbol.asyncDispose]();
  expect(await prune()).toMatchObject({ removed: [old], kept: [] });
  expect(await days()).toEqual(['21']);
  await gc();
  expect([1, 2, 3].map(isStored)).toEqual([false, true, true]);
});

test('a restore that begins when the image is hidden is told that there is none', async () => {
  const index = indexOf(old);
  const late = async () =>
    expect(await announceReading(store, old, 'a restore', [index]).catch((error) => error)).toMatchObject({
      code: 'not-found',
    });
  expect(await prune(at('look', late))).toMatchObject({ removed: [old] });
  expect(fs.readdirSync(path.join(store, 'captures'))).toEqual([]);
});

test.each(['look', 'remove'] as const)(
  'gc at the phase "%s" keeps the chunks of a hidden image',
  async (phase) => {
    const neededBy = () => new Map([[formatImageRef(old), ['restore job 1 is open']]]);
    expect(await prune({ neededBy, ...at(phase, gc) })).toMatchObject({ kept: [{ name: old }] });
    expect(await days()).toEqual(['20', '21']);
    expect(await brokenChunks(store)).toEqual([]);
  },
);

test('an image that is given back while gc looks for images loses no chunk', async () => {
  const neededBy = () => new Map([[formatImageRef(old), ['station is armed with it']]]);
  const hidden = Promise.withResolvers<void>();
  const condemned = Promise.withResolvers<void>();
  const pruning = prune({
    neededBy,
    ...at('look', async () => {
      hidden.resolve();
      await condemned.promise;
    }),
  });
  await hidden.promise;
  await collectGarbage({
    store,
    publicKey: key,
    graceMs: -1000,
    silentMs: 600_000,
    ignoreDamaged: [],
    dryRun: false,
    onPhase: async (phase) => {
      if (phase !== 'mark-again') return;
      condemned.resolve();
      await pruning;
    },
  });
  expect(await brokenChunks(store)).toEqual([]);
  expect(await days()).toEqual(['20', '21']);
});

test('what is restored stays restorable when somebody removes the image by hand', async () => {
  const reading = await read(old);
  fs.rmSync(imageFolder(store, old), { recursive: true });
  await gc();
  expect([1, 2, 3].every(isStored)).toBe(true);
  if (reading.kind !== 'announced') throw new Error('it was not announced');
  await reading.announcement[Symbol.asyncDispose]();
  await gc();
  expect(isStored(1)).toBe(false);
});

test('what a killed prune has hidden is looked at by the next one', async () => {
  fs.renameSync(imageFolder(store, old), prunedFolder(store, old));
  const neededBy = () => new Map([[formatImageRef(old), ['restore job 1 is open']]]);
  await gc();
  expect(await prune({ names: [], neededBy })).toMatchObject({ removed: [], kept: [{ name: old }] });
  expect(await brokenChunks(store)).toEqual([]);
  fs.renameSync(imageFolder(store, old), prunedFolder(store, old));
  expect(await prune({ names: [] })).toMatchObject({ removed: [old] });
  expect(await listPruned(store)).toEqual([]);
  expect(fs.readdirSync(path.dirname(imageFolder(store, old)))).toEqual(['A_20261121T020000Z']);
});

test('a restore that was killed keeps its image until it was silent for long', async () => {
  const reading = await read(old);
  if (reading.kind !== 'announced') throw new Error('it was not announced');
  reading.announcement.leave();
  expect(await prune()).toMatchObject({ kept: [{ name: old }] });
  const own = announcementFolder(store, reading.announcement.id);
  const before = Date.now() / 1000 - 120;
  for (const file of ['.', ...fs.readdirSync(own)]) fs.utimesSync(path.join(own, file), before, before);
  expect(await prune()).toMatchObject({ removed: [old] });
});

test('a store that cannot be written is read without an announcement, and that is said', async () => {
  using disk = mountSmallDisk(folder.path, 16);
  const there = path.join(disk.path, 'store');
  fs.cpSync(store, there, { recursive: true });
  run('mount', '-o', 'remount,ro', disk.path);
  expect(await announceReading(there, old, 'a restore', [])).toMatchObject({
    kind: 'not-announced',
    reason: 'it is read-only here',
  });
});
