import { spawn } from 'node:child_process';
import diagnostics from 'node:diagnostics_channel';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { CaptureLimits } from '#images/capture/throttle.ts';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { formatPublicKey, parseSecretKey, type SecretKey } from '#images/format/minisign.ts';
import { storeTimeMs } from '#images/stores/announcement.ts';
import { imageFolder, listImages } from '#images/stores/image-files.ts';
import { copyImages } from '#images/upkeep/copy.ts';
import { verifyImages } from '#images/upkeep/verify.ts';
import { openJob } from '#pxe-server/jobs/job-store.ts';
import { createSite } from '#pxe-server/site/create-site.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState, type State } from '#pxe-server/site/state.ts';
import { arm } from '#pxe-server/stations/arming.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { chunkFileIn, mountSmallDisk, startPlainWebServer } from '#test/support/every-store.ts';
import { fileHandlePrototype } from '#test/support/file-handle-prototype.ts';
import { serveFolder } from '#test/support/images-folder-server.ts';
import { makeTemporaryFolder, noise } from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { brokenChunks, writeImage } from '#test/support/store-images.ts';

/** The verbs that keep a store in order, as they are typed, on a site and a store of their own. */

const root = new URL('../..', import.meta.url).pathname;
let folder: ReturnType<typeof makeTemporaryFolder>;
let site: string;
let store: string;
let key: SecretKey;
let state: State;

beforeEach(async () => {
  folder = makeTemporaryFolder();
  site = path.join(folder.path, 'site');
  const paths = sitePaths(site);
  await createSite(paths, { interface: 'lo', dhcp: { mode: 'proxy' } });
  state = openState(paths.state, { create: true });
  store = path.join(site, 'images');
  key = parseSecretKey(fs.readFileSync(paths.imageSigningKey, 'utf8'));
});
afterEach(() => {
  state.close();
  folder[Symbol.dispose]();
});

const block = (n: number): Buffer => noise(`block ${n}`, 200_000);
const write = (station: string, day: number, numbers: number[], sequence = day) =>
  writeImage(store, key, {
    station,
    utc: `202611${String(day).padStart(2, '0')}T020000Z`,
    blocks: numbers.map(block),
    sequence,
  });
const file = (n: number, where = store): string => chunkFileIn(where, chunkIdOf(block(n)));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Beside this thread: some of the servers that it talks to are in this process. */
function rekindle(...args: string[]): Promise<Ran> {
  const script = path.join(root, 'scripts/rekindle.ts');
  const child = spawn(process.execPath, [script, ...args, '--site', site]);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (part) => {
    stdout += part;
  });
  child.stderr.on('data', (part) => {
    stderr += part;
  });
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, stdout, stderr })));
}
const json = (ran: Ran) => JSON.parse(ran.stdout);

const copyTo = async (to: string, station?: string, limits: CaptureLimits = {}) =>
  copyImages({
    limits,
    from: store,
    to,
    publicKey: key,
    names: (await listImages(store)).filter((name) => station === undefined || name.station === station),
  });

describe('image verify', () => {
  test('reads each chunk once however many images share it, and list shows when', async () => {
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
    const name = await write(
      'A',
      1,
      Array.from({ length: 40 }, (_, n) => n),
    );
    const keyFile = path.join(folder.path, 'key.pub');
    fs.writeFileSync(keyFile, formatPublicKey(key));
    const child = spawn(
      process.execPath,
      [path.join(root, 'test/support/upkeep-child.ts'), store, keyFile, '1500000', `A_${name.utc}`],
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
    const away = path.join(folder.path, 'not-mounted');
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
    const name = await write('A', 1, [1, 2, 3, 4]);
    const started: unknown[] = [];
    const note = (message: unknown): void => void started.push(message);
    diagnostics.subscribe('worker_threads', note);
    onTestFinished(() => void diagnostics.unsubscribe('worker_threads', note));
    await verifyImages({ store, publicKey: key, names: [name] });
    expect(started).toHaveLength(Math.min(8, os.availableParallelism()));
  });

  test('an older image in a folder of a newer name is no whole image of that name', async () => {
    const old = await write('A', 1, [1]);
    const newer = { ...old, utc: '20261120T020000Z' };
    fs.renameSync(imageFolder(store, old), imageFolder(store, newer));
    const { images } = await verifyImages({ store, publicKey: key, names: [newer] });
    expect(images).toMatchObject([
      { result: 'damaged', problems: [expect.stringContaining('the manifest of A@20261101T020000Z')] },
    ]);
  });

  test('holds back what it reads, and runs from a web server too', async () => {
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

describe('image prune', () => {
  test('shows what stays and why, removes the rest, and never what is in use', async () => {
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

describe('image copy', () => {
  test('sends what the target lacks, once; signatures unchanged; heals a target that lost a chunk', async () => {
    await write('A', 1, [1, 2]);
    await write('A', 2, [2, 3]);
    const target = path.join(folder.path, 'second');
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
    await write('A', 1, [1]);
    const target = path.join(folder.path, 'second');
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
    await expect(copyTo(path.join(folder.path, 'not-mounted'))).rejects.toMatchObject({
      code: 'store-unreachable',
    });
  });

  test('holds back what it sends', async () => {
    await write('A', 1, [1, 2, 3, 4, 5]);
    const target = path.join(folder.path, 'second');
    fs.mkdirSync(target);
    const startedAt = performance.now();
    await copyTo(target, 'A', { bytesPerSecond: 400_000 });
    // A megabyte; here it takes some hundredths of a second.
    expect(performance.now() - startedAt).toBeGreaterThan(1800);
    expect(await brokenChunks(target)).toEqual([]);
  });

  test('another image of the same name is never replaced', async () => {
    await write('A', 1, [1]);
    const target = path.join(folder.path, 'second');
    fs.mkdirSync(target);
    await writeImage(target, key, { station: 'A', utc: '20261101T020000Z', blocks: [block(9)] });
    await expect(copyTo(target)).rejects.toMatchObject({
      code: 'usage',
      cause: { message: expect.stringContaining('another image of the name A@20261101T020000Z') },
    });
    expect(await brokenChunks(target)).toEqual([]);
  });

  test('a full target: says what is missing, keeps the images that are whole, and goes on', async () => {
    await write('A', 1, [1, 2]);
    await write(
      'A',
      2,
      Array.from({ length: 60 }, (_, n) => 100 + n),
    );
    using small = mountSmallDisk(folder.path, 8);
    const full = await rekindle('image', 'copy', '--all', '--to', small.path);
    expect(full.status).toBe(10);
    expect(full.stderr).toMatch(/image 2 of 2; the 1 before are whole/);
    expect(full.stderr).toMatch(/\d+ of 60 chunks that the target lacks are still missing/);
    expect(full.stderr).toContain('Free some space');
    expect(await listImages(small.path)).toHaveLength(1);
    expect(await brokenChunks(small.path)).toEqual([]);
  });

  test('to a web server that takes PUT: the manifest comes last', async () => {
    await write('A', 1, [1, 2]);
    const target = path.join(folder.path, 'second');
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
