import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { type PlannedImage, planManifest } from '#images/capture/plan-manifest.ts';
import { formatDiskIndex } from '#images/format/disk-index.ts';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { parseImageRef } from '#images/format/image-name.ts';
import { generateKeyPair, signBytes } from '#images/format/minisign.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { type Announcement, announceCapture } from '#images/stores/announcement.ts';
import {
  listImages,
  parseManifest,
  readListedFile,
  readManifest,
  resolveImage,
} from '#images/stores/image-folder.ts';
import { publishImage } from '#images/stores/publish-image.ts';
import {
  type CapturedDemo,
  captureDemoDisk,
  demoDisk,
  MiB,
  makeBlankDisk,
  makeTemporaryFolder,
  noise,
  run,
  sha256OfRange,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

let folder: ReturnType<typeof makeTemporaryFolder>;
let demo: CapturedDemo;
const inFolder = (name: string): string => path.join(folder.path, name);

let announcement: Announcement;

beforeAll(async () => {
  folder = makeTemporaryFolder();
  demo = await captureDemoDisk(folder.path);
  announcement = await announceCapture(demo.store);
});
afterAll(async () => {
  await announcement[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

describe('capture of a disk file', () => {
  test('describes the volumes and reads used blocks only', () => {
    const [boot, root, projects] = demo.captured.volumes;
    expect(boot).toMatchObject({
      number: 1,
      name: 'boot',
      role: 'system',
      capturedAs: 'all-blocks',
      reason: 'no file system was recognised',
    });
    expect(root).toMatchObject({
      name: 'root',
      fileSystem: 'ext4',
      role: 'system',
      capturedAs: 'used-blocks',
      ...demoDisk.root,
    });
    expect(projects).toMatchObject({
      name: 'PROJECTS',
      fileSystem: 'ntfs',
      label: 'Projects',
      role: 'data',
      ...demoDisk.projects,
    });
    expect(root?.usedBytes).toBeLessThan(25 * MiB);
    expect(projects?.usedBytes).toBeLessThan(10 * MiB);
    expect(demo.captured.stats.readBytes).toBeLessThan(60 * MiB);
    expect(demo.captured.warnings).toEqual([]);
  });

  test('leaves no loop device behind', () => {
    expect(run('losetup', '--list', '--noheadings', '--output', 'BACK-FILE')).not.toContain(demo.station);
  });

  test('the image has every used byte: the file systems are sound and hold the same files', () => {
    const extract = (range: { startByte: number; sizeBytes: number }, name: string): string => {
      const file = makeBlankDisk(inFolder(name), range.sizeBytes);
      writeAt(
        file,
        fs.readFileSync(demo.expected).subarray(range.startByte, range.startByte + range.sizeBytes),
        0,
      );
      return file;
    };
    const ext4 = extract(demoDisk.root, 'check-root.img');
    run('e2fsck', '-f', '-n', ext4);
    run('debugfs', '-R', `dump system ${inFolder('system.out')}`, ext4);
    expect(fs.readFileSync(inFolder('system.out')).equals(noise('system', 9 * MiB))).toBe(true);
    const ntfs = extract(demoDisk.projects, 'check-projects.img');
    run('ntfsfix', '--no-action', ntfs);
    expect(sha256OfRange(demo.expected, { startByte: MiB, sizeBytes: 60_000 })).toBe(
      sha256OfRange(demo.station, { startByte: MiB, sizeBytes: 60_000 }),
    );
  });

  test('a second capture stores nothing, one changed block stores its chunk', async () => {
    const changed = inFolder('changed.img');
    fs.copyFileSync(demo.station, changed);
    const again = await captureDisk({ path: changed, store: announcement.store });
    expect(again.stats.newChunks).toBe(0);
    expect(Buffer.from(formatDiskIndex(again.index)).equals(fs.readFileSync(demo.indexFile))).toBe(true);
    writeAt(changed, noise('new boot code', 300), MiB + 500_000);
    const more = await captureDisk({ path: changed, store: announcement.store });
    expect(more.stats.newChunks).toBe(1);
  });

  test('swap is read whole, and the manifest says why', async () => {
    const disk = makeBlankDisk(inFolder('swap.img'), 8 * MiB);
    run('sgdisk', '--new=1:2048:10239', '--typecode=1:8200', disk);
    const swap = makeBlankDisk(inFolder('swap.part'), 4 * MiB);
    fs.chmodSync(swap, 0o600);
    run('mkswap', swap);
    writeAt(disk, fs.readFileSync(swap), MiB);
    const { volumes } = await captureDisk({ path: disk, store: announcement.store });
    expect(volumes).toMatchObject([
      {
        fileSystem: 'swap',
        capturedAs: 'all-blocks',
        reason: 'the used blocks of swap are not known',
        usedBytes: 4 * MiB,
      },
    ]);
  });
});

describe('an image in a directory store', () => {
  const key = generateKeyPair();
  const station = stationNameSchema.parse('OS-SRV-1A');
  const passport: HardwarePassport = {
    formatVersion: 1,
    takenAt: '2026-11-20T02:00:00.000Z',
    standIn: true,
    system: { vendor: '', product: '', version: '', serial: '', uuid: '' },
    board: { vendor: '', product: '', version: '', serial: '' },
    cpu: { model: '', threads: 1 },
    memoryBytes: 1,
    firmware: { kind: 'bios', version: '', secureBoot: 'not-supported' },
    networkCards: [],
    storageControllers: [],
    disks: [],
    modaliases: [],
  };
  let image: PlannedImage;
  const publish = (utc: string): Promise<void> =>
    publishImage(
      demo.store,
      { station, utc },
      { ...image, signature: signBytes(image.manifestBytes, key, `${station}@${utc}`) },
      announcement.id,
    );

  beforeAll(async () => {
    image = planManifest({
      station,
      computerName: 'OS-SRV-1A',
      stationRole: 'server',
      capturedAt: '2026-11-20T02:00:00.000Z',
      consistency: 'offline',
      tools: { partclone: '0.3.23' },
      sequence: 1,
      previousManifestSha256: null,
      bootEntries: [],
      bootOrder: [],
      passport,
      disks: [
        {
          captured: demo.captured,
          passportDisk: {
            slot: '0000:00:03.0',
            model: 'TEST DISK',
            serial: 'S1',
            sizeBytes: demoDisk.sizeBytes,
            logicalSectorBytes: 512,
            physicalSectorBytes: 512,
            removable: false,
          },
        },
      ],
    });
    await publish('20261119T020000Z');
    await publish('20261120T020000Z');
  });

  test('is listed, resolved and read with its signature', async () => {
    expect((await listImages(demo.store)).map(({ utc }) => utc)).toEqual([
      '20261119T020000Z',
      '20261120T020000Z',
    ]);
    const name = await resolveImage(demo.store, parseImageRef('OS-SRV-1A@latest'));
    expect(name.utc).toBe('20261120T020000Z');
    const { manifest } = await readManifest(demo.store, name, key);
    const index = await readListedFile(demo.store, name, manifest, 'OS-SRV-1A_disk0.caibx');
    expect(Buffer.from(index).equals(fs.readFileSync(demo.indexFile))).toBe(true);
    await expect(resolveImage(demo.store, parseImageRef('OS-SRV-1A@20200101T000000Z'))).rejects.toThrow(
      'there is none',
    );
    await expect(publish('20261120T020000Z')).rejects.toThrow('there is one of that name');
  });

  test('a folder that was being published is not an image', async () => {
    const parent = path.join(demo.store, 'images/OS-SRV-1A');
    fs.mkdirSync(path.join(parent, '.publishing-abcdef'));
    fs.mkdirSync(path.join(parent, 'OS-SRV-1A_20261121T020000Z'));
    expect(await listImages(demo.store, station)).toHaveLength(2);
  });

  test('one that was given another name is refused', async () => {
    const moved = { station, utc: '20261119T020000Z' };
    await expect(readManifest(demo.store, moved, key)).rejects.toMatchObject({
      code: 'verification-failed',
      cause: { message: expect.stringContaining('the manifest of OS-SRV-1A@20261120T020000Z') },
    });
  });

  test('any change to manifest, signature or index is refused', async () => {
    const name = await resolveImage(demo.store, parseImageRef('OS-SRV-1A@20261120T020000Z'));
    const file = (each: string): string =>
      path.join(demo.store, 'images/OS-SRV-1A/OS-SRV-1A_20261120T020000Z', each);
    const flip = (each: string, at: number): void => {
      const bytes = fs.readFileSync(file(each));
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      fs.writeFileSync(file(each), bytes);
    };
    const { manifest } = await readManifest(demo.store, name, key);
    for (const [each, at] of [
      ['manifest.json', 100],
      ['manifest.json.minisig', 80],
    ] as const) {
      flip(each, at);
      await expect(readManifest(demo.store, name, key)).rejects.toThrow('signature');
      flip(each, at);
    }
    await expect(readManifest(demo.store, name, generateKeyPair())).rejects.toThrow('another key');
    flip('OS-SRV-1A_disk0.caibx', 200);
    await expect(readListedFile(demo.store, name, manifest, 'OS-SRV-1A_disk0.caibx')).rejects.toThrow(
      'it hashes to',
    );
    fs.truncateSync(file('OS-SRV-1A_disk0.caibx'), 100);
    await expect(readListedFile(demo.store, name, manifest, 'OS-SRV-1A_disk0.caibx')).rejects.toThrow(
      'it has 100 bytes',
    );
  });

  test('two thousand damaged manifests: refused with a reason or read as a manifest, never a crash', () => {
    let state = 7;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.from(image.manifestBytes);
      const at = random(bytes.length);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random(8)), at);
      try {
        parseManifest(bytes.subarray(0, round % 10 === 0 ? at : bytes.length), 'a damaged image');
      } catch (error) {
        expect(error).toMatchObject({ code: 'verification-failed' });
      }
    }
  });
});
