import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chunkPath } from '#images/format/chunk-id.ts';
import { chunkAt, chunkCount } from '#images/format/disk-index.ts';
import { formatImageName } from '#images/format/image-name.ts';
import { formatPublicKey } from '#images/format/minisign.ts';
import { imageFolder, listImages, readManifest } from '#images/stores/image-folder.ts';
import { collectGarbage } from '#images/upkeep/gc.ts';
import { verifyImages } from '#images/upkeep/verify.ts';
import {
  captureImageOf,
  captureKey,
  captureStation,
  somePassportDisk,
} from '#test/support/capture-image-of.ts';
import {
  MiB,
  makeBlankDisk,
  makeDemoDisk,
  makeTemporaryFolder,
  noise,
  readAt,
  run,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

let folder: ReturnType<typeof makeTemporaryFolder>;
let station: string;
const inFolder = (name: string): string => path.join(folder.path, name);
const newStore = (name: string): string => {
  fs.mkdirSync(inFolder(name));
  return inFolder(name);
};
const demoSource = (file = station) => ({
  path: file,
  passportDisk: somePassportDisk(fs.statSync(file).size),
});

beforeAll(() => {
  folder = makeTemporaryFolder();
  station = makeDemoDisk(folder.path);
});
afterAll(() => folder[Symbol.dispose]());

describe('from disks to an image', () => {
  test('two disks become one image that is signed, verified and read by minisign and casync', async () => {
    const store = newStore('two-disks');
    const second = makeBlankDisk(inFolder('second.img'), 3 * MiB + 512);
    writeAt(second, noise('second', MiB), MiB - 700);
    const startedAt = new Date('2026-11-20T02:00:00.900Z');
    const progress: string[] = [];
    const image = await captureImageOf(
      store,
      [demoSource(), { path: second, passportDisk: somePassportDisk(3 * MiB + 512, { serial: 'SSD-0002' }) }],
      { capturedAt: startedAt, onProgress: ({ phase, disk }) => progress.push(`${phase} ${disk}`) },
    );
    expect(formatImageName(image.name)).toBe('OS-SRV-1A_20261120T020000Z');
    expect(image.manifest).toMatchObject({ sequence: 1, previousManifestSha256: null });
    expect(image.manifest.disks.map(({ serial }) => serial)).toEqual(['SSD-0001', 'SSD-0002']);
    // A chunk that comes twice in a disk is new once.
    expect(image.change.share).toBeGreaterThan(0.9);
    expect(image.verified).toMatchObject({ readAgain: image.change.newChunks });
    expect(new Set(progress)).toEqual(new Set(['capture 0', 'capture 1', 'verify 1']));

    const imagePath = path.join(store, 'images/OS-SRV-1A/OS-SRV-1A_20261120T020000Z');
    expect(imageFolder(store, image.name)).toBe(imagePath);
    const publicKey = inFolder('site.pub');
    fs.writeFileSync(publicKey, formatPublicKey(captureKey));
    const said = run('minisign', '-V', '-p', publicKey, '-m', path.join(imagePath, 'manifest.json'));
    expect(said).toContain('rekindle image OS-SRV-1A@20261120T020000Z');
    const back = inFolder('second-back.img');
    run(
      'casync',
      'extract',
      `--store=${path.join(store, 'chunks.castr')}`,
      path.join(imagePath, 'OS-SRV-1A_disk1.caibx'),
      back,
    );
    expect(fs.readFileSync(back).equals(fs.readFileSync(second))).toBe(true);
  });

  test('the next one continues the chain, and stores and names what changed only', async () => {
    const store = newStore('chain');
    const at = new Date('2026-11-20T02:00:00Z');
    const first = await captureImageOf(store, [demoSource()], { capturedAt: at });
    const changed = inFolder('changed.img');
    fs.copyFileSync(station, changed);
    writeAt(changed, noise('another boot code', 300), MiB + 500_000);
    // A snapshot of the same second gets the next one.
    const second = await captureImageOf(store, [demoSource(changed)], {
      openSources: async () => ({
        paths: [changed],
        capturedAt: at,
        assertWhole: async () => {},
        async [Symbol.asyncDispose]() {},
      }),
    });
    expect(second.name.utc).toBe('20261120T020001Z');
    expect(second.manifest).toMatchObject({
      sequence: 2,
      previousManifestSha256: first.manifestSha256,
      capturedAt: '2026-11-20T02:00:01.000Z',
    });
    expect(second.change).toMatchObject({ newChunks: 1, newBytes: MiB });
    expect(second.change.share).toBeCloseTo(MiB / second.change.contentBytes);
    expect(second.verified.readAgain).toBe(1);
    expect(second.verified.foundPresent).toBeGreaterThan(10);
    // Every image is complete by itself: the older one goes, with every chunk that it alone needed.
    fs.rmSync(imageFolder(store, first.name), { recursive: true });
    const collected = await collectGarbage({
      ...{
        store,
        publicKey: captureKey,
        graceMs: -1000,
        silentMs: 600_000,
        ignoreDamaged: [],
        dryRun: false,
      },
    });
    expect(collected.chunks.removed).toBe(1);
    const index = path.join(imageFolder(store, second.name), 'OS-SRV-1A_disk0.caibx');
    run('casync', 'extract', `--store=${store}/chunks.castr`, index, inFolder('put-back.img'));
    expect(readAt(inFolder('put-back.img'), MiB + 500_000, 300).equals(noise('another boot code', 300))).toBe(
      true,
    );
    const { images } = await verifyImages({ store, publicKey: captureKey, names: [second.name] });
    expect(images).toMatchObject([{ result: 'whole' }]);
  });

  test('content of a time is not moved past an image that appeared while it was read', async () => {
    const store = newStore('overtaken');
    const older = new Date('2026-11-20T02:00:00Z');
    let other: Promise<unknown> | undefined;
    await expect(
      captureImageOf(store, [demoSource()], {
        capturedAt: older,
        openSources: async () => ({
          paths: [station],
          async assertWhole() {
            other ??= captureImageOf(store, [demoSource()]);
            await other;
          },
          async [Symbol.asyncDispose]() {},
        }),
      }),
    ).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('is not older') });
    expect(await listImages(store, captureStation)).toHaveLength(1);
  });

  test('a damaged newest image stays visible as a gap, and no station is locked out by it', async () => {
    const store = newStore('damaged-newest');
    const [first, second] = [
      await captureImageOf(store, [demoSource()]),
      await captureImageOf(store, [demoSource()]),
    ];
    fs.writeFileSync(path.join(imageFolder(store, second.name), 'manifest.json'), '{}');
    const third = await captureImageOf(store, [demoSource()]);
    expect(third.manifest).toMatchObject({ sequence: 3, previousManifestSha256: first.manifestSha256 });
    expect(third.warnings).toEqual([expect.stringContaining(`OS-SRV-1A@${second.name.utc} is damaged`)]);
  });

  test('a new chunk that the store damaged is found before there is an image', async () => {
    const store = newStore('damaging');
    const damage = (): void => {
      const [folderName] = fs.readdirSync(path.join(store, 'chunks.castr'));
      const chunks = path.join(store, 'chunks.castr', folderName ?? '');
      const [chunk] = fs.readdirSync(chunks);
      fs.truncateSync(path.join(chunks, chunk ?? ''), 11);
    };
    let damaged = false;
    await expect(
      captureImageOf(store, [demoSource()], {
        onProgress: ({ doneBytes, totalBytes }) => {
          if (damaged || doneBytes < totalBytes) return;
          damaged = true;
          damage();
        },
      }),
    ).rejects.toMatchObject({ code: 'verification-failed' });
    expect(await listImages(store)).toEqual([]);
  });

  test('an older chunk that is gone is found before there is an image', async () => {
    const store = newStore('losing');
    const first = await captureImageOf(store, [demoSource()]);
    const [disk] = first.disks;
    if (disk === undefined) throw new Error('no disk');
    const last = chunkAt(disk.index, chunkCount(disk.index) - 1);
    let removed = false;
    await expect(
      captureImageOf(store, [demoSource()], {
        onProgress: ({ doneBytes, totalBytes }) => {
          if (removed || doneBytes < totalBytes) return;
          removed = true;
          fs.rmSync(path.join(store, 'chunks.castr', chunkPath(last.id)));
        },
      }),
    ).rejects.toMatchObject({
      code: 'verification-failed',
      cause: { message: expect.stringContaining(last.id) },
    });
    expect(await listImages(store)).toHaveLength(1);
  });

  test('interrupted, it leaves no image, and the second run reuses what was stored', async () => {
    const store = newStore('interrupted');
    const controller = new AbortController();
    const running = captureImageOf(store, [demoSource()], {
      workers: 1,
      limits: { bytesPerSecond: 8 * MiB },
      signal: controller.signal,
      onProgress: ({ doneBytes }) => {
        if (doneBytes > 6 * MiB) controller.abort();
      },
    });
    await expect(running).rejects.toMatchObject({
      code: 'interrupted',
      next: 'Start the capture again: what is stored is reused.',
    });
    expect(await listImages(store)).toEqual([]);
    const complete = await captureImageOf(store, [demoSource()]);
    const alone = await captureImageOf(newStore('uninterrupted'), [demoSource()]);
    expect(complete.change.newChunks).toBeLessThan(alone.change.newChunks);
    expect(complete.disks[0]?.index.ids).toEqual(alone.disks[0]?.index.ids);
    expect((await readManifest(store, complete.name, captureKey)).manifest.station).toBe(captureStation);
  });

  test('a store that is not there is refused, never made', async () => {
    const store = inFolder('unmounted-share');
    await expect(captureImageOf(store, [demoSource()])).rejects.toMatchObject({ code: 'store-unreachable' });
    expect(fs.existsSync(store)).toBe(false);
  });
});
