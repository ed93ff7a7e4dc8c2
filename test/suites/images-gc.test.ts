import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { formatPublicKey, generateKeyPair } from '#images/format/minisign.ts';
import {
  type AnnouncementJournal,
  announceCapture,
  announcementFolder,
  openJournal,
} from '#images/stores/announcement.ts';
import { packChunk } from '#images/stores/chunk-file.ts';
import { listImages } from '#images/stores/image-files.ts';
import { openStoreForWriting } from '#images/stores/open-store.ts';
import { collectGarbage, type GcOptions, type GcPhase } from '#images/upkeep/gc.ts';
import { chunkFileIn, writeChunkFile } from '#test/support/every-store.ts';
import { fileHandlePrototype } from '#test/support/file-handle-prototype.ts';
import { seededRandom } from '#test/support/random.ts';
import { makeTemporaryFolder, noise } from '#test/support/restore-demo-disk.ts';
import { brokenChunks, writeImage } from '#test/support/store-images.ts';

/** gc removes what nothing needs, and nothing else, whatever runs beside it and whenever it is killed. */

const key = generateKeyPair();
const block = (n: number): Buffer => noise(`block ${n}`, 3000);
const blocks = (...numbers: number[]): Buffer[] => numbers.map(block);
const isStored = (n: number): boolean => fs.existsSync(chunkFileIn(store, chunkIdOf(block(n))));

let folder: ReturnType<typeof makeTemporaryFolder>;
let store: string;
beforeEach(() => {
  folder = makeTemporaryFolder();
  store = path.join(folder.path, 'store');
  fs.mkdirSync(path.join(store, 'chunks.castr'), { recursive: true });
});
afterEach(() => folder[Symbol.dispose]());

const gc = (options: Partial<GcOptions> = {}) =>
  collectGarbage({
    store,
    publicKey: key,
    graceMs: -1000,
    silentMs: 600_000,
    ignoreDamaged: [],
    dryRun: false,
    ...options,
  });
const putUnneeded = (...numbers: number[]): void => {
  for (const n of numbers) writeChunkFile(store, chunkIdOf(block(n)), packChunk(block(n)));
};
const at = (phase: GcPhase, work: () => Promise<unknown>) => ({
  onPhase: async (now: GcPhase) => {
    if (now === phase) await work();
  },
});

test('removes what no image needs, and says how much; a dry run only says it', async () => {
  await writeImage(store, key, { station: 'A', utc: '20261120T020000Z', blocks: blocks(1, 2) });
  await writeImage(store, key, { station: 'B', utc: '20261120T020000Z', blocks: blocks(2, 3) });
  putUnneeded(4, 5);
  const bytes = [4, 5].reduce((sum, n) => sum + packChunk(block(n)).length, 0);
  const expected = { chunks: { kept: 3, removed: 2, removedBytes: bytes, young: 0 } };
  expect(await gc({ dryRun: true })).toMatchObject(expected);
  expect([4, 5].every(isStored)).toBe(true);
  expect(await gc()).toMatchObject(expected);
  expect([1, 2, 3, 4, 5].map(isStored)).toEqual([true, true, true, false, false]);
  expect(await gc()).toMatchObject({ chunks: { kept: 3, removed: 0 } });
});

test('leaves young chunks and young temporary files alone', async () => {
  await writeImage(store, key, { station: 'A', utc: '20261120T020000Z', blocks: blocks(1) });
  putUnneeded(2);
  fs.writeFileSync(`${chunkFileIn(store, chunkIdOf(block(2)))}.1-2-x.tmp`, 'half');
  expect(await gc({ graceMs: 3_600_000 })).toMatchObject({ chunks: { young: 1, removed: 0, temporary: 0 } });
  expect(await gc()).toMatchObject({ chunks: { removed: 1, temporary: 0 } });
  expect(await gc({ silentMs: -1000 })).toMatchObject({ chunks: { temporary: 1 } });
});

test('an image folder that gives no answer is no image that is gone: nothing is removed', async () => {
  await writeImage(store, key, { station: 'A', utc: '20261120T020000Z', blocks: blocks(1) });
  await writeImage(store, key, { station: 'B', utc: '20261120T020000Z', blocks: blocks(2) });
  const image = path.join(store, 'images/B/B_20261120T020000Z');
  fs.renameSync(image, `${image}.away`);
  // Whatever is asked about it is answered with ELOOP.
  fs.symlinkSync(image, image);
  await expect(gc()).rejects.toMatchObject({ code: 'store-unreachable', cause: { code: 'ELOOP' } });
  fs.rmSync(image);
  fs.renameSync(`${image}.away`, image);
  // Lost between the listing and the reading.
  const lost = gc({
    onProgress: (phase, done) => {
      if (phase !== 'mark' || done !== 1) return;
      fs.renameSync(image, `${image}.away`);
      fs.symlinkSync(image, image);
    },
  });
  await expect(lost).rejects.toMatchObject({ code: 'store-unreachable', cause: { code: 'ELOOP' } });
  expect([1, 2].every(isStored)).toBe(true);
});

test('an announcement that was cut short is refused, and so is every later one behind the torn id', async () => {
  await using announcement = await announceCapture(store);
  await using stack = new AsyncDisposableStack();
  const [journal, other] = [0, 1].map(() =>
    stack.adopt(openJournal(store, announcement.id), (each) => each.close()),
  ) as [AnnouncementJournal, AnnouncementJournal];
  const id = chunkIdOf(block(1));
  await journal.append([id]);
  await other.append([id]);
  // As on a disk that has a few bytes left: a short write, then the error.
  const handles = await fileHandlePrototype();
  onTestFinished(() => void vi.restoreAllMocks());
  const write = handles.write as (bytes: Buffer, at: number, length: number) => Promise<unknown>;
  vi.spyOn(handles, 'write')
    .mockImplementationOnce(function (this: unknown, bytes: unknown) {
      return write.call(this, bytes as Buffer, 0, 10) as never;
    })
    .mockRejectedValueOnce(Object.assign(new Error('ENOSPC: no space left, write'), { code: 'ENOSPC' }));
  const full = { code: 'store-unreachable', cause: { code: 'ENOSPC' } };
  await expect(journal.append([id, id])).rejects.toMatchObject(full);
  await expect(journal.append([id])).rejects.toMatchObject(full);
  await expect(other.append([id])).rejects.toMatchObject(full);
  const announced = announcementFolder(store, announcement.id);
  const sizes = fs.readdirSync(announced).map((name) => fs.statSync(path.join(announced, name)).size);
  expect(sizes.sort((a, b) => b - a)[0]).toBe(32 + 32 + 10);
});

describe('a capture that runs at the same time', () => {
  // The classic race: the chunk is there, so the capture does not store it; gc has decided to remove it.
  test.each(['mark', 'condemn', 'mark-again', 'remove'] as const)(
    'finds a superfluous chunk present just before "%s", and publishes after gc has ended',
    async (phase) => {
      await writeImage(store, key, { station: 'A', utc: '20261120T020000Z', blocks: blocks(1) });
      putUnneeded(2, 3);
      await using announcement = await announceCapture(store);
      const into = openStoreForWriting(announcement.store);
      await gc(
        at(phase, async () => {
          const [missing] = await into.need([chunkIdOf(block(2))]);
          if (missing !== undefined) await into.put(missing, packChunk(block(2)));
        }),
      );
      await into.close();
      expect([2, 3].map(isStored)).toEqual([true, false]);
      await writeImage(store, key, { station: 'B', utc: '20261120T020000Z', blocks: blocks(2) });
      expect(await brokenChunks(store)).toEqual([]);
    },
  );

  test.each(['condemn', 'mark-again', 'remove'] as const)(
    'publishes an image of superfluous chunks just before "%s"',
    async (phase) => {
      await writeImage(store, key, { station: 'A', utc: '20261120T020000Z', blocks: blocks(1) });
      putUnneeded(2, 3, 4);
      await gc(
        at(phase, () =>
          writeImage(store, key, { station: 'B', utc: '20261120T020000Z', blocks: blocks(2, 3) }),
        ),
      );
      expect(await brokenChunks(store)).toEqual([]);
      expect(isStored(4)).toBe(false);
    },
  );

  test('many captures, many gcs, some of them killed: every image stays whole', {
    timeout: 300_000,
  }, async () => {
    const keyFile = path.join(folder.path, 'key.pub');
    fs.writeFileSync(keyFile, formatPublicKey(key));
    const random = seededRandom(3);
    const pick = () => Math.floor(random() * 24);
    await writeImage(store, key, { station: 'A', utc: '20261120T020000Z', blocks: blocks(0) });
    const rounds = 60;
    let killed = 0;
    for (let round = 0; round < rounds; round++) {
      putUnneeded(pick(), pick(), pick(), pick());
      const pauses = Array.from({ length: 8 }, () => random() * 12);
      const capture = writeImage(store, key, {
        station: `S${round % 3}`,
        utc: `20261120T02${String(round).padStart(2, '0')}00Z`,
        blocks: blocks(pick(), pick(), pick()),
        before: () => sleep(pauses.pop() ?? 0),
      });
      const wait = random() * 20;
      if (round % 4 === 0) {
        killed += await killedGc(keyFile, round);
        await capture;
      } else {
        const other = round % 4 === 1 ? gc() : Promise.resolve();
        await Promise.all([capture, other, sleep(wait).then(() => gc())]);
      }
      expect(await brokenChunks(store)).toEqual([]);
      // Old images go, so that their chunks become superfluous.
      const [oldest, ...others] = (await listImages(store)).filter(({ station }) => station !== 'A');
      if (others.length > 4 && oldest !== undefined)
        fs.rmSync(path.join(store, 'images', oldest.station, `${oldest.station}_${oldest.utc}`), {
          recursive: true,
        });
    }
    expect(killed).toBeGreaterThan(rounds / 8);
    await gc();
    const names = fs.readdirSync(path.join(store, 'chunks.castr'), { recursive: true, encoding: 'utf8' });
    expect(names.filter((name) => name.includes('condemned'))).toEqual([]);
  });

  /** Ends the process after its second or third phase began, some milliseconds later. */
  async function killedGc(keyFile: string, round: number): Promise<number> {
    const script = new URL('../support/gc-child.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [script, store, keyFile], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<NodeJS.Signals | null>((resolve) =>
      child.once('exit', (_, signal) => resolve(signal)),
    );
    child.stdout.on('data', (said: Buffer) => {
      const phase = (['condemn', 'mark-again', 'remove'] as const)[round % 3] ?? 'remove';
      if (said.toString().includes(phase)) setTimeout(() => child.kill('SIGKILL'), round % 5);
    });
    return (await ended) === 'SIGKILL' ? 1 : 0;
  }
});

test('a gc that was killed leaves nothing that a reader misses; the next one clears up', async () => {
  await writeImage(store, key, { station: 'A', utc: '20261120T020000Z', blocks: blocks(1, 2) });
  putUnneeded(3);
  for (const n of [1, 3]) {
    const file = chunkFileIn(store, chunkIdOf(block(n)));
    fs.renameSync(file, `${file}.condemned-of-a-dead-one`);
  }
  expect(await gc()).toMatchObject({ chunks: { takenBack: 1, removed: 1 } });
  expect([1, 2, 3].map(isStored)).toEqual([true, true, false]);
});

describe('an image whose chunks are not known', () => {
  const damage: [string, (image: string) => void][] = [
    ['its index is damaged', (image) => fs.appendFileSync(path.join(image, 'A_disk0.caibx'), 'x')],
    ['its index is gone', (image) => fs.rmSync(path.join(image, 'A_disk0.caibx'))],
    ['its manifest is damaged', (image) => fs.appendFileSync(path.join(image, 'manifest.json'), ' ')],
    ['its manifest is gone', (image) => fs.rmSync(path.join(image, 'manifest.json'))],
  ];
  test.each(damage)('stops gc: %s', async (_, harm) => {
    await writeImage(store, key, { station: 'A', utc: '20261120T020000Z', blocks: blocks(1) });
    await writeImage(store, key, { station: 'B', utc: '20261120T020000Z', blocks: blocks(2) });
    harm(path.join(store, 'images/A/A_20261120T020000Z'));
    await expect(gc()).rejects.toMatchObject({
      code: 'verification-failed',
      message: expect.stringContaining('A@20261120T020000Z'),
      next: expect.stringContaining('--ignore-damaged A@20261120T020000Z'),
    });
    expect([1, 2].map(isStored)).toEqual([true, true]);
    expect(await gc({ ignoreDamaged: ['A@20261120T020000Z'] })).toMatchObject({
      chunks: { removed: 1, kept: 1 },
      ignoredDamaged: ['A@20261120T020000Z'],
    });
  });

  test('found only by the second look: what was condemned comes back', async () => {
    await writeImage(store, key, { station: 'B', utc: '20261120T020000Z', blocks: blocks(2) });
    putUnneeded(1);
    const spoil = async () => {
      await writeImage(store, key, { station: 'A', utc: '20261120T020000Z', blocks: blocks(1) });
      fs.rmSync(path.join(store, 'images/A/A_20261120T020000Z/A_disk0.caibx'));
    };
    await expect(gc(at('mark-again', spoil))).rejects.toMatchObject({ code: 'verification-failed' });
    expect([1, 2].map(isStored)).toEqual([true, true]);
  });

  test('a store without any image is refused: the wrong folder, or an empty mount point', async () => {
    putUnneeded(1);
    await expect(gc()).rejects.toMatchObject({ code: 'usage' });
    expect(isStored(1)).toBe(true);
  });
});

describe('a capture without a sign of life', () => {
  test('is given up, and finds out instead of publishing an image that lacks chunks', async () => {
    await writeImage(store, key, { station: 'A', utc: '20261120T020000Z', blocks: blocks(1) });
    const late = writeImage(store, key, {
      station: 'B',
      utc: '20261120T020000Z',
      blocks: blocks(2),
      before: async (chunk) => {
        if (chunk !== null) return;
        expect(await gc({ silentMs: -1000 })).toMatchObject({
          captures: { dropped: 1 },
          chunks: { removed: 1 },
        });
      },
    });
    await expect(late).rejects.toMatchObject({
      code: 'verification-failed',
      cause: { message: expect.stringContaining('silent for too long') },
    });
    expect(await listImages(store)).toHaveLength(1);
  });

  test('keeps its chunks until then, also when it was killed', async () => {
    await writeImage(store, key, { station: 'A', utc: '20261120T020000Z', blocks: blocks(1) });
    const announcement = await announceCapture(store);
    const into = openStoreForWriting(announcement.store);
    await into.need([chunkIdOf(block(2))]);
    await into.put(chunkIdOf(block(2)), packChunk(block(2)));
    await into.close();
    expect(await gc()).toMatchObject({ captures: { running: 1 }, chunks: { removed: 0, kept: 2 } });
    await announcement[Symbol.asyncDispose]();
    expect(fs.existsSync(announcementFolder(store, announcement.id))).toBe(false);
    expect(await gc()).toMatchObject({ chunks: { removed: 1 } });
  });
});
