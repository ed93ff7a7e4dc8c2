import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CaptureLimits } from '#images/capture/throttle.ts';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { listImages } from '#images/stores/image-files.ts';
import { copyImages } from '#images/upkeep/copy.ts';
import { mountSmallDisk } from '#test/support/every-store.ts';
import { serveFolder } from '#test/support/images-folder-server.ts';
import { brokenChunks, writeImage } from '#test/support/store-images.ts';

import { block, makeUpkeepSite, type Ran, type UpkeepSite } from '#test/support/upkeep-site.ts';

/** `rekindle image copy`, as it is typed and as a function. */

let upkeep: UpkeepSite;
beforeEach(async () => {
  upkeep = await makeUpkeepSite();
});
afterEach(() => upkeep[Symbol.dispose]());

const json = (ran: Ran) => JSON.parse(ran.stdout);

const copyTo = async (to: string, station?: string, limits: CaptureLimits = {}) =>
  copyImages({
    limits,
    from: upkeep.store,
    to,
    publicKey: upkeep.key,
    names: (await listImages(upkeep.store)).filter(
      (name) => station === undefined || name.station === station,
    ),
  });

describe('image copy', () => {
  test('sends what the target lacks, once; signatures unchanged; heals a target that lost a chunk', async () => {
    const { folder, store, write, file, rekindle } = upkeep;
    await write('A', 1, [1, 2]);
    await write('A', 2, [2, 3]);
    const target = path.join(folder, 'second');
    fs.mkdirSync(target);
    const first = json(await rekindle('image', 'copy', '--all', '--to', target, '--json'));
    expect(first.images).toMatchObject([
      { outcome: 'copied', sentChunks: 2 },
      { outcome: 'copied', sentChunks: 1, chunks: 2 },
    ]);
    const manifest = 'images/A/A_20261102T020000Z/manifest.json.minisig';
    expect(fs.readFileSync(path.join(target, manifest))).toEqual(fs.readFileSync(path.join(store, manifest)));
    expect(await brokenChunks(target)).toEqual([]);
    expect(fs.readdirSync(path.join(target, 'captures'))).toEqual([]);
    fs.rmSync(file(3, target));
    expect(json(await rekindle('image', 'copy', 'A@latest', '--to', target, '--json')).images).toMatchObject([
      { outcome: 'repaired', sentChunks: 1 },
    ]);
    expect(json(await rekindle('image', 'copy', 'A', '--to', target, '--json')).images).toMatchObject([
      { outcome: 'was there', sentChunks: 0 },
      { outcome: 'was there' },
    ]);
  });

  test('an empty or damaged source takes nothing away from the target, and damage does not spread', async () => {
    const { folder, store, write, file, rekindle } = upkeep;
    await write('A', 1, [1]);
    const target = path.join(folder, 'second');
    fs.mkdirSync(target);
    await copyTo(target);
    await write('B', 1, [5, 6]);
    const bytes = fs.readFileSync(file(6));
    bytes.writeUInt8(bytes.readUInt8(900) ^ 1, 900);
    fs.writeFileSync(file(6), bytes);
    await expect(copyTo(target, 'B')).rejects.toMatchObject({
      code: 'verification-failed',
      cause: { cause: { message: expect.stringContaining(chunkIdOf(block(6))) } },
    });
    expect(await listImages(target)).toHaveLength(1);
    fs.rmSync(path.join(store, 'images'), { recursive: true });
    fs.rmSync(path.join(store, 'chunks.castr'), { recursive: true });
    expect((await rekindle('image', 'copy', '--all', '--to', target)).stdout).toContain('nothing removed');
    expect(await listImages(target)).toHaveLength(1);
    expect(await brokenChunks(target)).toEqual([]);
    await expect(copyTo(path.join(folder, 'not-mounted'))).rejects.toMatchObject({
      code: 'store-unreachable',
    });
  });

  test('holds back what it sends', async () => {
    const { folder, write } = upkeep;
    await write('A', 1, [1, 2, 3, 4, 5]);
    const target = path.join(folder, 'second');
    fs.mkdirSync(target);
    const startedAt = performance.now();
    await copyTo(target, 'A', { bytesPerSecond: 400_000 });
    // A megabyte; here it takes some hundredths of a second.
    expect(performance.now() - startedAt).toBeGreaterThan(1800);
    expect(await brokenChunks(target)).toEqual([]);
  });

  test('another image of the same name is never replaced', async () => {
    const { folder, key, write } = upkeep;
    await write('A', 1, [1]);
    const target = path.join(folder, 'second');
    fs.mkdirSync(target);
    await writeImage(target, key, { station: 'A', utc: '20261101T020000Z', blocks: [block(9)] });
    await expect(copyTo(target)).rejects.toMatchObject({
      code: 'usage',
      cause: { message: expect.stringContaining('another image of the name A@20261101T020000Z') },
    });
    expect(await brokenChunks(target)).toEqual([]);
  });

  test('a full target: says what is missing, keeps the images that are whole, and goes on', async () => {
    const { folder, write, rekindle } = upkeep;
    await write('A', 1, [1, 2]);
    await write(
      'A',
      2,
      Array.from({ length: 60 }, (_, n) => 100 + n),
    );
    using small = mountSmallDisk(folder, 8);
    const full = await rekindle('image', 'copy', '--all', '--to', small.path);
    expect(full.status).toBe(10);
    expect(full.stderr).toMatch(/image 2 of 2; the 1 before are whole/);
    expect(full.stderr).toMatch(/\d+ of 60 chunks that the target lacks are still missing/);
    expect(full.stderr).toContain('Free some space');
    expect(await listImages(small.path)).toHaveLength(1);
    expect(await brokenChunks(small.path)).toEqual([]);
  });

  test('to a web server that takes PUT: the manifest comes last', async () => {
    const { folder, write } = upkeep;
    await write('A', 1, [1, 2]);
    const target = path.join(folder, 'second');
    fs.mkdirSync(target);
    const server = await serveFolder(target, false, 0, null);
    try {
      expect(await copyTo(server.url)).toMatchObject([{ outcome: 'copied', sentChunks: 2 }]);
      expect(await brokenChunks(target)).toEqual([]);
      expect(server.requests.filter((each) => each.startsWith('PUT')).at(-1)).toContain('manifest.json');
      expect(server.requests.filter((each) => each.startsWith('PUT')).at(-1)).not.toContain('minisig');
    } finally {
      await server.close();
    }
  });
});
