import { spawn } from 'node:child_process';
import diagnostics from 'node:diagnostics_channel';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { formatPublicKey } from '#images/format/minisign.ts';
import { storeTimeMs } from '#images/stores/announcement.ts';
import { imageFolder, listImages } from '#images/stores/image-files.ts';
import { verifyImages } from '#images/upkeep/verify.ts';
import { startPlainWebServer } from '#test/support/every-store.ts';
import { fileHandlePrototype } from '#test/support/file-handle-prototype.ts';
import { writeImage } from '#test/support/store-images.ts';

import { block, makeUpkeepSite, type Ran, type UpkeepSite } from '#test/support/upkeep-site.ts';

/** `rekindle image verify`, as it is typed and as a function. */

let upkeep: UpkeepSite;
beforeEach(async () => {
  upkeep = await makeUpkeepSite();
});
afterEach(() => upkeep[Symbol.dispose]());

const json = (ran: Ran) => JSON.parse(ran.stdout);

describe('image verify', () => {
  test('reads each chunk once however many images share it, and list shows when', async () => {
    const { store, write, rekindle } = upkeep;
    await write('A', 1, [1, 2]);
    await write('B', 1, [2, 3]);
    expect(json(await rekindle('image', 'list', '--json'))).toMatchObject([
      { verified: null },
      { verified: null },
    ]);
    const done = await rekindle('image', 'verify', '--all', '--json');
    expect(done.status, done.stderr).toBe(0);
    expect(json(done)).toMatchObject({
      chunks: 3,
      readBefore: 0,
      recorded: true,
      images: [
        { ref: 'A@20261101T020000Z', result: 'whole', chunks: 2, bytes: 400_000 },
        { ref: 'B@20261101T020000Z', result: 'whole' },
      ],
    });
    expect(json(await rekindle('image', 'list', '--json'))).toMatchObject([
      { verified: { result: 'whole' } },
      { verified: { result: 'whole' } },
    ]);
    expect(fs.existsSync(path.join(store, 'verified/progress'))).toBe(false);
  });

  test('a flipped byte: the chunk is set aside and named, and every image that it hits, asked about or not', async () => {
    const { store, write, file, rekindle } = upkeep;
    await write('A', 1, [1, 2]);
    await write('B', 1, [2, 3]);
    await write('C', 1, [4]);
    const bytes = fs.readFileSync(file(2));
    bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
    fs.writeFileSync(file(2), bytes);
    const done = await rekindle('image', 'verify', 'A', 'C', '--json');
    expect(done.status).toBe(14);
    expect(json(done)).toMatchObject({
      images: [{ ref: 'A@20261101T020000Z', result: 'damaged' }, { result: 'whole' }],
      bad: [{ id: chunkIdOf(block(2)) }],
      hit: ['A@20261101T020000Z', 'B@20261101T020000Z'],
    });
    expect(done.stderr).toContain(chunkIdOf(block(2)));
    expect(done.stderr).toContain('These images need the same chunks: B@20261101T020000Z');
    expect(fs.existsSync(`${file(2)}.bad`)).toBe(true);
    expect((await rekindle('image', 'list')).stdout).toContain('DAMAGED 2');
    // A missing chunk, a damaged index, a damaged manifest.
    fs.rmSync(file(4));
    expect((await rekindle('image', 'verify', 'C')).stderr).toContain(`does not hold it`);
    fs.appendFileSync(path.join(store, 'images/C/C_20261101T020000Z/C_disk0.caibx'), 'x');
    expect((await rekindle('image', 'verify', 'C')).stderr).toContain('C_disk0.caibx');
  });

  test('killed, it goes on where it was; what was read is not read again', async () => {
    const { folder, store, key, write } = upkeep;
    const name = await write(
      'A',
      1,
      Array.from({ length: 40 }, (_, n) => n),
    );
    const keyFile = path.join(folder, 'key.pub');
    fs.writeFileSync(keyFile, formatPublicKey(key));
    const child = spawn(
      process.execPath,
      ['test/support/upkeep-child.ts', store, keyFile, '1500000', `A_${name.utc}`],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const progress = path.join(store, 'verified/progress');
    child.stdout.on('data', () => {
      const noted = fs.statSync(progress, { throwIfNoEntry: false })?.size ?? 0;
      if (noted > 6 * 32) child.kill('SIGKILL');
    });
    const [signal] = await new Promise<[NodeJS.Signals | null]>((resolve) =>
      child.once('exit', (_, by) => resolve([by])),
    );
    expect(signal).toBe('SIGKILL');
    // As a kill in the middle of an append leaves it.
    fs.appendFileSync(path.join(store, 'verified/progress'), 'torn');
    const again = await verifyImages({ store, publicKey: key, names: [name] });
    expect(again.readBefore).toBeGreaterThan(3);
    expect(again.readBefore).toBeLessThan(40);
    expect(again).toMatchObject({ chunks: 40, images: [{ result: 'whole' }] });
    expect((await verifyImages({ store, publicKey: key, names: [name] })).readBefore).toBe(0);
  });

  test('what was noted counts once, and for a week from the start, whatever is noted later', async () => {
    const { store, key, write } = upkeep;
    const a = await write('A', 1, [1, 2]);
    const b = await write('B', 1, [3]);
    const progress = path.join(store, 'verified/progress');
    const note = (since: Date, ...numbers: number[]): void => {
      fs.mkdirSync(path.dirname(progress), { recursive: true });
      const ids = numbers.map((n) => Buffer.from(chunkIdOf(block(n)), 'hex'));
      fs.writeFileSync(progress, Buffer.concat([Buffer.from(`started ${since.toISOString()}`), ...ids]));
    };
    const readBefore = async (name: typeof a) =>
      (await verifyImages({ store, publicKey: key, names: [name] })).readBefore;
    note(new Date(Date.now() - 3_600_000), 1, 3);
    expect(await readBefore(a)).toBe(1);
    expect(await readBefore(a)).toBe(0);
    expect(await readBefore(b)).toBe(1);
    expect(fs.existsSync(progress)).toBe(false);
    // The file itself is new.
    note(new Date(Date.now() - 8 * 24 * 3_600_000), 1, 3);
    expect(await readBefore(a)).toBe(0);
    note(new Date(Date.now() + 24 * 3_600_000), 3);
    expect(await readBefore(b)).toBe(0);
  });

  test('says so when it cannot note what it read, and calls nothing whole that it has not read', async () => {
    const { store, key, write, rekindle } = upkeep;
    const name = await write(
      'A',
      1,
      Array.from({ length: 40 }, (_, n) => n),
    );
    const prototype = await fileHandlePrototype();
    onTestFinished(() => void vi.restoreAllMocks());
    setTimeout(() => {
      const failure = Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' });
      vi.spyOn(prototype, 'write').mockRejectedValueOnce(failure);
    }, 1000);
    const limits = { bytesPerSecond: 1_500_000 };
    await expect(verifyImages({ store, publicKey: key, names: [name], limits })).rejects.toMatchObject({
      code: 'store-unreachable',
      message: expect.stringContaining('verified/progress'),
      cause: { code: 'EIO' },
    });
    expect((await rekindle('image', 'list')).stdout).not.toContain('whole');
  });

  test('a store that is not there, or has no image, is said to be so, and is not made', async () => {
    const { folder, store, rekindle } = upkeep;
    const away = path.join(folder, 'not-mounted');
    for (const [where, status, words] of [
      [away, 10, 'is not there'],
      [store, 11, 'there is no image at all'],
    ] as const) {
      const done = await rekindle('image', 'verify', '--all', '--store', where);
      expect(done.status, done.stderr).toBe(status);
      expect(done.stderr).toContain(words);
    }
    await expect(storeTimeMs(away)).rejects.toMatchObject({ code: 'store-unreachable' });
    expect(fs.existsSync(away)).toBe(false);
  });

  test('a chunk that is right, but not as long as the index says, is none for this image', async () => {
    const { store, key, write } = upkeep;
    const good = await write('A', 1, [1]);
    const odd = await writeImage(store, key, {
      station: 'B',
      utc: '20261101T020000Z',
      blocks: [block(2)],
      sizes: [199_999],
    });
    const done = await verifyImages({ store, publicKey: key, names: [good, odd] });
    expect(done.images).toMatchObject([
      { result: 'whole' },
      {
        result: 'damaged',
        problems: [expect.stringContaining('has 200000 bytes, the index of an image says 199999')],
      },
    ]);
  });

  test('every core reads', async () => {
    const { store, key, write } = upkeep;
    const name = await write('A', 1, [1, 2, 3, 4]);
    const started: unknown[] = [];
    const note = (message: unknown): void => void started.push(message);
    diagnostics.subscribe('worker_threads', note);
    onTestFinished(() => void diagnostics.unsubscribe('worker_threads', note));
    await verifyImages({ store, publicKey: key, names: [name] });
    expect(started).toHaveLength(Math.min(8, os.availableParallelism()));
  });

  test('an older image in a folder of a newer name is no whole image of that name', async () => {
    const { store, key, write } = upkeep;
    const old = await write('A', 1, [1]);
    const newer = { ...old, utc: '20261120T020000Z' };
    fs.renameSync(imageFolder(store, old), imageFolder(store, newer));
    const { images } = await verifyImages({ store, publicKey: key, names: [newer] });
    expect(images).toMatchObject([
      { result: 'damaged', problems: [expect.stringContaining('the manifest of A@20261101T020000Z')] },
    ]);
  });

  test('holds back what it reads, and runs from a web server too', async () => {
    const { store, key, write, rekindle } = upkeep;
    await write('A', 1, [1, 2, 3, 4, 5]);
    const slow = await verifyImages({
      store,
      publicKey: key,
      names: await listImages(store),
      limits: { bytesPerSecond: 500_000 },
    });
    // The last chunk is read before it is paid for.
    expect(slow.seconds).toBeGreaterThan(1.5);
    await using server = await startPlainWebServer(store);
    const remote = await rekindle('image', 'verify', 'A@20261101T020000Z', '--store', server.url, '--json');
    expect(remote.status, remote.stderr).toBe(0);
    expect(json(remote)).toMatchObject({ recorded: false, images: [{ result: 'whole', chunks: 5 }] });
    const shown = await rekindle('image', 'show', 'A@20261101T020000Z', '--store', server.url);
    expect(JSON.parse(shown.stdout)).toMatchObject({ station: 'A' });
    const listed = await rekindle('image', 'list', '--store', server.url);
    expect(listed.status).toBe(2);
    expect(listed.stderr).toContain('shows no list of its folders');
  });
});
