import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CapturedDisk, captureDisk } from '#images/capture/capture-disk.ts';
import { formatDiskIndex } from '#images/format/disk-index.ts';
import { announcedStore } from '#test/support/announced-store.ts';
import {
  deletedFiles,
  hashesOf,
  makeContent,
  type RealFileSystem,
  realFileSystems,
} from '#test/support/real-file-systems.ts';
import {
  MiB,
  makeBlankDisk,
  makeTemporaryFolder,
  noise,
  run,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

let folder: ReturnType<typeof makeTemporaryFolder>;
const inFolder = (name: string): string => path.join(folder.path, name);
const fileBytes = 2 * MiB + 777;

beforeAll(() => {
  folder = makeTemporaryFolder();
  fs.mkdirSync(inFolder('store'));
});
afterAll(() => folder[Symbol.dispose]());

/** A GPT disk with one volume, captured, and put back by casync; the volume of what came back. */
async function throughAnImage(volume: string): Promise<{ captured: CapturedDisk; back: string }> {
  const { size } = fs.statSync(volume);
  const disk = makeBlankDisk(`${volume}.disk`, size + 2 * MiB);
  run('sgdisk', `--new=1:2048:${2048 + size / 512 - 1}`, disk);
  const place = ['bs=1M', 'seek=1', 'conv=notrunc,sparse', 'status=none'];
  run('dd', `if=${volume}`, `of=${disk}`, ...place);
  const captured = await captureDisk({ path: disk, store: await announcedStore(inFolder('store')) });
  fs.writeFileSync(`${disk}.caibx`, formatDiskIndex(captured.index));
  run('casync', 'extract', `--store=${inFolder('store/chunks.castr')}`, `${disk}.caibx`, `${disk}.back`);
  const back = `${volume}.back`;
  run(
    'dd',
    `if=${disk}.back`,
    `of=${back}`,
    'bs=1M',
    'skip=1',
    `count=${size / MiB}`,
    'conv=sparse',
    'status=none',
  );
  return { captured, back };
}

function makeVolume(fileSystem: RealFileSystem, name = fileSystem.name): { volume: string; content: string } {
  const [volume, content] = [inFolder(`${name}.img`), inFolder(`${name}.content`)];
  makeContent(content, fileSystem.name === 'FAT12' ? MiB : fileBytes);
  fileSystem.make(volume);
  fileSystem.fill(volume, content, deletedFiles);
  return { volume, content };
}

describe.each(realFileSystems)('$name', (fileSystem) => {
  test('only used blocks are read, and every file comes back', async () => {
    const { volume, content } = makeVolume(fileSystem);
    const { captured, back } = await throughAnImage(volume);
    const [found] = captured.volumes;
    expect(found).toMatchObject({ fileSystem: fileSystem.type, capturedAs: 'used-blocks' });
    expect(captured.warnings).toEqual([]);
    fileSystem.check?.(back);
    const taken = inFolder(`${fileSystem.name}.taken`);
    fs.mkdirSync(taken);
    fileSystem.takeOut(back, taken);
    const expected = hashesOf(content);
    for (const name of deletedFiles) delete expected[name];
    expect(hashesOf(taken)).toEqual(expected);
    // No more than what is used, in whole chunks of 1 MiB; what was deleted is not in the image.
    expect(captured.stats.readBytes).toBeLessThan((found?.usedBytes ?? 0) * 1.3 + 12 * MiB);
    expect(captured.stats.readBytes).toBeLessThan(fileSystem.sizeBytes / 1.4 + 2 * MiB);
    const [deleted] = deletedFiles;
    const firstBytes = fs.readFileSync(path.join(content, deleted ?? '')).subarray(0, 4096);
    expect(fs.readFileSync(volume).includes(firstBytes)).toBe(true);
    expect(fs.readFileSync(back).includes(firstBytes)).toBe(false);
  });
});

test('FAT12 whose two tables differ is taken whole', async () => {
  const fileSystem = realFileSystems.find(({ name }) => name === 'FAT12');
  if (fileSystem === undefined) throw new Error('FAT12');
  const { volume } = makeVolume(fileSystem, 'FAT12-torn');
  const boot = fs.readFileSync(volume).subarray(0, 512);
  const secondTable = (boot.readUInt16LE(14) + boot.readUInt16LE(22)) * 512;
  writeAt(volume, Buffer.from([0xff]), secondTable + 200);
  const { captured, back } = await throughAnImage(volume);
  expect(captured.volumes).toMatchObject([
    { capturedAs: 'all-blocks', reason: expect.stringContaining('its two tables differ') },
  ]);
  expect(fs.readFileSync(back).equals(fs.readFileSync(volume))).toBe(true);
});

test('a FAT32 of few clusters, which mtools reads as another FAT, is taken whole', async () => {
  const volume = makeBlankDisk(inFolder('FAT32-few.img'), 40 * MiB);
  run('mkfs.vfat', '-F', '32', '-s', '32', volume);
  writeAt(volume, noise('a file', MiB), 8 * MiB);
  const { captured, back } = await throughAnImage(volume);
  expect(captured.volumes).toMatchObject([
    { capturedAs: 'all-blocks', reason: expect.stringContaining('a FAT32 of so few clusters') },
  ]);
  expect(fs.readFileSync(back).equals(fs.readFileSync(volume))).toBe(true);
});

describe('volumes whose used blocks nobody knows', () => {
  const whole: readonly [
    name: string,
    prepare: (volume: string) => void,
    reason: string,
    warnings: readonly RegExp[],
  ][] = [
    ['swap', (volume) => void run('mkswap', volume), 'the used blocks of swap are not known', []],
    [
      'BitLocker',
      (volume) => writeAt(volume, Buffer.from('eb58902d4656452d46532d', 'hex'), 0),
      'it is encrypted by BitLocker',
      [/volume 1: it is encrypted by BitLocker.*recovery key/],
    ],
    [
      'LVM',
      // pvcreate writes label and checksum; a label of its own is all that this needs.
      (volume) => writeAt(volume, lvmLabel(), 512),
      'the used blocks of LVM2_member are not known',
      [],
    ],
    ['noise', () => {}, 'no file system was recognised', []],
  ];

  test.each(whole)('%s: every byte is taken, and why is said', async (name, prepare, reason, warnings) => {
    const volume = makeBlankDisk(inFolder(`${name}.img`), 4 * MiB);
    writeAt(volume, noise(name, 3 * MiB), MiB);
    fs.chmodSync(volume, 0o600);
    prepare(volume);
    const { captured, back } = await throughAnImage(volume);
    expect(captured.volumes).toMatchObject([{ capturedAs: 'all-blocks', reason, usedBytes: 4 * MiB }]);
    expect(captured.warnings).toEqual(warnings.map((pattern) => expect.stringMatching(pattern)));
    expect(fs.readFileSync(back).equals(fs.readFileSync(volume))).toBe(true);
  });
});

/** LVM2 label of sector 1 (lvm2, format_text/layout.h): its CRC begins with 0xf597a6cf and covers bytes 20 to 511. */
function lvmLabel(): Buffer {
  const label = Buffer.alloc(512);
  label.write('LABELONE', 0, 'latin1');
  label.writeBigUInt64LE(1n, 8);
  label.writeUInt32LE(32, 20);
  label.write('LVM2 001', 24, 'latin1');
  label.write('0123456789abcdefghijklmnopqrstuv', 32, 'latin1');
  // zlib's crc32 inverts before and after; LVM does neither.
  label.writeUInt32LE(~crc32(label.subarray(20), ~0xf597a6cf >>> 0) >>> 0, 16);
  return label;
}

/** As the disk is when the station loses its power: the volume file is copied while it is mounted. */
function crashed(name: string, mount: string, volume: string): string {
  const mountPoint = fs.mkdtempSync('/tmp/rekindle-test-mount-');
  const copy = inFolder(`${name}-crashed.img`);
  run('mount', '-o', mount, volume, mountPoint);
  try {
    // fsync: the promise that the content survives is in the log, not yet in the allocation bitmap.
    fs.writeFileSync(path.join(mountPoint, 'promised'), noise(`promised ${name}`, fileBytes), {
      flush: true,
    });
    run('cp', '--sparse=always', volume, copy);
  } finally {
    run('umount', mountPoint);
    fs.rmdirSync(mountPoint);
  }
  return copy;
}

describe('left without unmounting', () => {
  test.each([
    ['ext4', 'its log is still to be replayed'],
    ['XFS', 'its log is still to be replayed'],
    ['btrfs', 'its log is still to be replayed'],
  ])('%s: all blocks are taken, and what was promised comes back', async (name, reason) => {
    const fileSystem = realFileSystems.find((each) => each.name === name);
    if (fileSystem === undefined) throw new Error(name);
    const { volume } = makeVolume(fileSystem, `${name}-crash`);
    const { captured, back } = await throughAnImage(crashed(name, 'loop', volume));
    expect(captured.volumes).toMatchObject([
      { capturedAs: 'all-blocks', reason: expect.stringContaining(reason), usedBytes: fileSystem.sizeBytes },
    ]);
    const taken = inFolder(`${name}-crash.taken`);
    fs.mkdirSync(taken);
    const mountPoint = fs.mkdtempSync('/tmp/rekindle-test-mount-');
    run('mount', '-o', 'loop', back, mountPoint);
    fs.copyFileSync(path.join(mountPoint, 'promised'), path.join(taken, 'promised'));
    run('umount', mountPoint);
    fs.rmdirSync(mountPoint);
    expect(fs.readFileSync(path.join(taken, 'promised')).equals(noise(`promised ${name}`, fileBytes))).toBe(
      true,
    );
  });
});
