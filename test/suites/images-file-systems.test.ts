import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CapturedDisk, captureDisk } from '#images/capture/capture-disk.ts';
import { formatDiskIndex } from '#images/format/disk-index.ts';
import {
  deletedFiles,
  hashesOf,
  makeContent,
  type RealFileSystem,
  realFileSystems,
} from '#test/support/real-file-systems.ts';
import { MiB, makeBlankDisk, makeTemporaryFolder, noise, run } from '#test/support/restore-demo-disk.ts';

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
  const captured = await captureDisk({ path: disk, store: { kind: 'directory', path: inFolder('store') } });
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

describe.each(realFileSystems.filter(({ name }) => name !== 'FAT12'))('$name', (fileSystem) => {
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

test('FAT12, whose used blocks partclone gets wrong, is taken whole', async () => {
  const fileSystem = realFileSystems.find(({ name }) => name === 'FAT12');
  if (fileSystem === undefined) throw new Error('FAT12');
  const { volume } = makeVolume(fileSystem);
  const { captured, back } = await throughAnImage(volume);
  expect(captured.volumes).toMatchObject([
    { capturedAs: 'all-blocks', reason: 'the used blocks of FAT12 are not known' },
  ]);
  expect(fs.readFileSync(back).equals(fs.readFileSync(volume))).toBe(true);
});

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
