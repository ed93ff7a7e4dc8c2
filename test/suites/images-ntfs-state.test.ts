import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { readVolumeState } from '#images/capture/volume-state.ts';
import { formatDiskIndex } from '#images/format/disk-index.ts';
import { announcedStore } from '#test/support/announced-store.ts';
import { captureImageOf, somePassportDisk } from '#test/support/capture-image-of.ts';
import { MiB, makeBlankDisk, makeTemporaryFolder, noise, run } from '#test/support/restore-demo-disk.ts';

let folder: ReturnType<typeof makeTemporaryFolder>;
const inFolder = (name: string): string => path.join(folder.path, name);
const sizeBytes = 48 * MiB;
const store = () => announcedStore(inFolder('store'));

beforeAll(() => {
  folder = makeTemporaryFolder();
  fs.mkdirSync(inFolder('store'));
  makeNtfs('windows.img', (root) => {
    // Holes of one cluster each: a page file in them needs more runs than one FILE record holds.
    for (let number = 0; number < 1500; number++)
      fs.writeFileSync(path.join(root, `f${number}`), noise(`${number}`, 4096));
    expect(() => fs.writeFileSync(path.join(root, 'fill'), Buffer.alloc(sizeBytes))).toThrow('ENOSPC');
    for (let number = 0; number < 1500; number += 2) fs.rmSync(path.join(root, `f${number}`));
    fs.writeFileSync(path.join(root, 'pagefile.sys'), noise('pagefile', 2 * MiB));
    fs.rmSync(path.join(root, 'fill'));
    fs.writeFileSync(path.join(root, 'SwapFile.sys'), noise('swapfile', 3 * MiB));
    fs.writeFileSync(
      path.join(root, 'hiberfil.sys'),
      Buffer.concat([Buffer.from('wake'), noise('old', 4 * MiB)]),
    );
    fs.writeFileSync(path.join(root, 'document'), noise('document', 2 * MiB));
    fs.mkdirSync(path.join(root, 'other'));
    fs.writeFileSync(path.join(root, 'other', 'pagefile.sys'), noise('not a page file', MiB));
  });
});
afterAll(() => folder[Symbol.dispose]());

function mounted(volume: string, options: string[], use: (root: string) => void): void {
  const root = fs.mkdtempSync('/tmp/rekindle-test-mount-');
  run('ntfs-3g', ...options, volume, root);
  try {
    use(root);
  } finally {
    run('umount', root);
    fs.rmdirSync(root);
  }
}

function makeNtfs(name: string, fill: (root: string) => void): string {
  const volume = makeBlankDisk(inFolder(name), sizeBytes);
  run('mkfs.ntfs', '-F', '-q', volume);
  mounted(volume, [], fill);
  return volume;
}

/** A copy of the Windows volume, changed. */
function changed(name: string, change: (volume: string) => void): string {
  const copy = inFolder(name);
  fs.copyFileSync(inFolder('windows.img'), copy);
  change(copy);
  return copy;
}

function toDisk(volume: string): string {
  const disk = makeBlankDisk(`${volume}.disk`, sizeBytes + 2 * MiB);
  run('sgdisk', `--new=1:2048:${2048 + sizeBytes / 512 - 1}`, '--change-name=1:Windows', disk);
  run('dd', `if=${volume}`, `of=${disk}`, 'bs=1M', 'seek=1', 'conv=notrunc', 'status=none');
  return disk;
}

async function throughAnImage(volume: string) {
  const disk = toDisk(volume);
  const captured = await captureDisk({ path: disk, store: await store() });
  return { captured, back: takenBack(disk, formatDiskIndex(captured.index), inFolder('store')) };
}

function takenBack(disk: string, index: Uint8Array, from: string): string {
  fs.writeFileSync(`${disk}.caibx`, index);
  run('casync', 'extract', `--store=${from}/chunks.castr`, `${disk}.caibx`, `${disk}.back`);
  run(
    'dd',
    `if=${disk}.back`,
    `of=${disk}.volume`,
    'bs=1M',
    'skip=1',
    `count=${sizeBytes / MiB}`,
    'status=none',
  );
  return `${disk}.volume`;
}

const stateOf = (bytes: Buffer) =>
  readVolumeState((offset, length) => bytes.subarray(offset, offset + length), bytes.length, 'ntfs');

/** Runs as ntfscluster, which knows nothing of us, lists them. */
function runsBy(volume: string, file: string): { startByte: number; sizeBytes: number }[] {
  const listed = run('ntfscluster', '-F', file, volume).split('0x80 - non-resident')[1]?.split('0x')[0] ?? '';
  return [...listed.matchAll(/^ +\d+ +(\d+) +(\d+)$/gm)].map(([, lcn, length]) => ({
    startByte: Number(lcn) * 4096,
    sizeBytes: Number(length) * 4096,
  }));
}

describe('page files of a Windows that was shut down', () => {
  test('their clusters are those that ntfscluster finds, over several FILE records', () => {
    const { worthless, unsound, hibernated } = stateOf(fs.readFileSync(inFolder('windows.img')));
    expect({ unsound, hibernated }).toEqual({ unsound: undefined, hibernated: false });
    expect(worthless.map(({ name }) => name).sort()).toEqual([
      'hiberfil.sys',
      'pagefile.sys',
      'swapfile.sys',
    ]);
    const pageFile = worthless.find(({ name }) => name === 'pagefile.sys')?.ranges ?? [];
    expect(pageFile.length).toBeGreaterThan(300);
    expect(run('ntfsinfo', '-F', 'pagefile.sys', inFolder('windows.img'))).toContain('$ATTRIBUTE_LIST');
    const total = pageFile.reduce((sum, range) => sum + range.sizeBytes, 0);
    expect(total).toBe(2 * MiB);
    for (const range of runsBy(inFolder('windows.img'), 'SwapFile.sys'))
      expect(worthless.find(({ name }) => name === 'swapfile.sys')?.ranges).toContainEqual(range);
  });

  test('count as zeros; every other file comes back', async () => {
    const volume = inFolder('windows.img');
    const { captured, back } = await throughAnImage(volume);
    expect(captured.volumes).toMatchObject([
      {
        capturedAs: 'used-blocks',
        reason: expect.stringMatching(/^contents of (hiberfil|pagefile|swapfile)\.sys, .* count as zeros$/),
      },
    ]);
    expect(captured.warnings).toEqual([]);
    run('ntfsfix', '--no-action', back);
    mounted(volume, ['-o', 'ro'], (was) => {
      mounted(back, ['-o', 'ro'], (is) => {
        for (const name of fs.readdirSync(was).filter((each) => fs.statSync(path.join(was, each)).isFile())) {
          const [before, after] = [was, is].map((root) => fs.readFileSync(path.join(root, name)));
          const isPageFile = /^(hiberfil|pagefile|swapfile)\.sys$/i.test(name);
          expect(
            after?.equals(isPageFile ? Buffer.alloc(before?.length ?? 0) : (before ?? Buffer.alloc(0))),
            name,
          ).toBe(true);
        }
        const other = [was, is].map((root) => fs.readFileSync(path.join(root, 'other/pagefile.sys')));
        expect(other[0]?.equals(other[1] ?? Buffer.alloc(0))).toBe(true);
      });
    });
    // 9 MiB of 17 in use are in page files.
    const used = captured.volumes[0]?.usedBytes ?? 0;
    expect(captured.stats.readBytes).toBeLessThan(used + 3 * MiB);
  });
});

const sessionInHiberfil = (volume: string): void =>
  mounted(volume, [], (root) => {
    const fd = fs.openSync(path.join(root, 'hiberfil.sys'), 'r+');
    fs.writeSync(fd, 'HIBR', 0);
    fs.closeSync(fd);
  });

describe('a volume that was not left cleanly is named and taken whole', () => {
  test('hibernated: hiberfil and page files keep their contents', async () => {
    const volume = changed('hibernated.img', sessionInHiberfil);
    expect(spawnSync('ntfs-3g.probe', ['--readwrite', volume]).status).toBe(14);
    const { captured, back } = await throughAnImage(volume);
    expect(captured.volumes).toMatchObject([
      { capturedAs: 'all-blocks', reason: 'Windows is hibernated in it', usedBytes: sizeBytes },
    ]);
    expect(captured.warnings).toEqual([
      expect.stringContaining('volume 1 (Windows): Windows is hibernated in it'),
    ]);
    expect(fs.readFileSync(back).equals(fs.readFileSync(volume))).toBe(true);
  });

  test('hibernated on one disk: the page file on the other keeps its contents', async () => {
    const own = inFolder('two-disks');
    fs.mkdirSync(own);
    const hibernated = toDisk(changed('hibernated-0.img', sessionInHiberfil));
    const pages = toDisk(changed('pages-1.img', () => {}));
    const size = sizeBytes + 2 * MiB;
    const image = await captureImageOf(own, [
      { path: pages, passportDisk: somePassportDisk(size) },
      { path: hibernated, passportDisk: somePassportDisk(size, { serial: 'SSD-0002' }) },
    ]);
    const [first] = image.disks;
    if (first === undefined) throw new Error('no disk');
    expect(image.manifest.disks[0]?.volumes).toMatchObject([{ capturedAs: 'used-blocks' }]);
    expect(image.manifest.disks[0]?.volumes[0]?.reason).toBeUndefined();
    const back = takenBack(pages, formatDiskIndex(first.index), own);
    mounted(back, ['-o', 'ro'], (root) => {
      expect(fs.readFileSync(path.join(root, 'pagefile.sys')).equals(noise('pagefile', 2 * MiB))).toBe(true);
    });
    expect(image.warnings).toEqual([expect.stringMatching(/^disk 1 .*hibernated/)]);
  });

  test('dirty', async () => {
    const volume = changed('dirty.img', (file) => {
      const bytes = fs.readFileSync(file);
      for (const lcn of [bytes.readBigUInt64LE(0x30), bytes.readBigUInt64LE(0x38)]) {
        const record = Number(lcn) * 4096 + 3 * 1024;
        let at = record + bytes.readUInt16LE(record + 0x14);
        while (bytes.readUInt32LE(at) !== 0x70) at += bytes.readUInt32LE(at + 4);
        bytes.writeUInt16LE(1, at + bytes.readUInt16LE(at + 0x14) + 10);
      }
      fs.writeFileSync(file, bytes);
    });
    expect(run('sh', '-c', `ntfsinfo -m ${volume} 2>&1 || true`)).toContain('scheduled for check');
    const { captured } = await throughAnImage(volume);
    expect(captured.volumes).toMatchObject([
      { capturedAs: 'all-blocks', reason: 'it is marked dirty: Windows is going to check it' },
    ]);
    expect(captured.warnings).toHaveLength(1);
  });

  test('with a log that names a client', async () => {
    const volume = changed('log.img', (file) => {
      const log = /^ +0 +(\d+) +\d+$/m.exec(run('ntfscluster', '-I', '2', file).split('0x80')[1] ?? '')?.[1];
      const page = Buffer.alloc(4096);
      page.write('RSTR', 'latin1');
      page.writeUInt16LE(0x1e, 4);
      page.writeUInt16LE(9, 6);
      page.writeUInt16LE(0x30, 0x18);
      // No client in use, then the first one.
      page.writeUInt16LE(0, 0x30 + 12);
      for (let sector = 0; sector <= 8; sector++)
        page.writeUInt16LE(7, sector === 0 ? 0x1e : sector * 512 - 2);
      const fd = fs.openSync(file, 'r+');
      fs.writeSync(fd, page, 0, page.length, Number(log) * 4096);
      fs.closeSync(fd);
    });
    expect(stateOf(fs.readFileSync(volume)).unsound).toBe(
      'it was not left cleanly: its log is still to be replayed',
    );
  });

  test('with a torn record of its root folder', () => {
    const bytes = fs.readFileSync(inFolder('windows.img'));
    const record = Number(bytes.readBigUInt64LE(0x30)) * 4096 + 5 * 1024;
    bytes.writeUInt16LE(bytes.readUInt16LE(record + 510) ^ 1, record + 510);
    expect(stateOf(bytes).unsound).toBe('its ntfs is not understood: a FILE is torn');
  });
});

test('a thousand damaged volumes: an answer each, and no range outside the volume', () => {
  const bytes = fs.readFileSync(inFolder('windows.img'));
  const mft = Number(bytes.readBigUInt64LE(0x30)) * 4096;
  let state = 11;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const records = [0, 2, 3, 5, ...['pagefile.sys', 'hiberfil.sys'].map((name) => inodeOf(name))];
  let unsound = 0;
  for (let round = 0; round < 1000; round++) {
    const record = records[random(records.length)] ?? 0;
    const at = round % 5 === 0 ? random(512) : mft + record * 1024 + random(1024);
    const was = bytes.readUInt8(at);
    bytes.writeUInt8(was ^ (1 << random(8)), at);
    const found = stateOf(bytes);
    bytes.writeUInt8(was, at);
    if (found.unsound !== undefined) unsound += 1;
    for (const { ranges } of found.worthless)
      for (const range of ranges) expect(range.startByte + range.sizeBytes).toBeLessThanOrEqual(sizeBytes);
  }
  expect(unsound).toBeGreaterThan(100);
});

function inodeOf(name: string): number {
  return Number(/^Dumping Inode (\d+)/.exec(run('ntfsinfo', '-F', name, inFolder('windows.img')))?.[1]);
}
