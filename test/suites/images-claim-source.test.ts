import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { claimSource } from '#images/capture/claim-source.ts';
import { announcedStore } from '#test/support/announced-store.ts';
import {
  MiB,
  makeBlankDisk,
  makeTemporaryFolder,
  noise,
  run,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

function loopWithExt4(): { folder: string; file: string; device: string; mount(...options: string[]): void } {
  const folder = makeTemporaryFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  const file = makeBlankDisk(path.join(folder.path, 'disk.img'), 32 * MiB);
  run('mkfs.ext4', '-q', '-F', file);
  const device = run('losetup', '--show', '--find', file).trim();
  onTestFinished(() => void run('losetup', '--detach', device));
  const mountPoint = path.join(folder.path, 'with space');
  fs.mkdirSync(mountPoint);
  return {
    folder: folder.path,
    file,
    device,
    mount(...options) {
      run('mount', ...options, device, mountPoint);
      onTestFinished(() => void run('umount', mountPoint));
    },
  };
}

const store = (folder: string) => {
  const made = path.join(folder, 'store');
  fs.mkdirSync(made, { recursive: true });
  return announcedStore(made);
};

test('a disk that is mounted read-write is refused, named by its mount point; its file too', async () => {
  const { folder, device, file, mount } = loopWithExt4();
  mount();
  for (const source of [device, file]) {
    await expect(captureDisk({ path: source, store: await store(folder) })).rejects.toMatchObject({
      code: 'target-unfit',
      message: expect.stringContaining(`mounted at ${folder}/with space and can be written to`),
    });
  }
});

test('a read-only bind mount of a writable file system does not make it stand still', async () => {
  const { folder, device, mount } = loopWithExt4();
  mount();
  const bind = path.join(folder, 'bind');
  fs.mkdirSync(bind);
  run('mount', '--bind', path.join(folder, 'with space'), bind);
  onTestFinished(() => void run('umount', bind));
  run('mount', '-o', 'remount,bind,ro', bind);
  expect(() => claimSource(device)).toThrow('can be written to');
});

test('one that is mounted read-only is captured', async () => {
  const { folder, device, mount } = loopWithExt4();
  mount('-o', 'ro');
  const captured = await captureDisk({ path: device, store: await store(folder) });
  expect(captured.sizeBytes).toBe(32 * MiB);
});

test('while a device is captured nothing can mount it; afterwards it can', () => {
  const { device, mount } = loopWithExt4();
  const claimed = claimSource(device);
  expect(() => mount('-o', 'ro')).toThrow();
  expect(() => claimSource(device)).toThrow('claimed by another program');
  claimed[Symbol.dispose]();
  mount('-o', 'ro');
});

test('swap on the disk is a writer', () => {
  const { device } = loopWithExt4();
  run('mkswap', device);
  run('swapon', device);
  onTestFinished(() => void run('swapoff', device));
  expect(() => claimSource(device)).toThrow('used as swap');
});

test('a file that is written to while it is captured gives no image', async () => {
  const { folder, file } = loopWithExt4();
  let written = false;
  const running = captureDisk({
    path: file,
    store: await store(folder),
    workers: 1,
    onProgress: () => {
      if (!written) writeAt(file, noise('late', 100), 20 * MiB);
      written = true;
    },
  });
  writeAt(file, noise('early', 100), 20 * MiB);
  await expect(running).rejects.toThrow('written to meanwhile');
});

/** A disk whose partitions the kernel knows, as those of a real one. */
function loopWithPartitions(): { folder: string; device: string } {
  const folder = makeTemporaryFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  const file = makeBlankDisk(path.join(folder.path, 'disk.img'), 96 * MiB);
  run('sgdisk', '--new=1:2048:+40M', '--new=2:0:0', '--typecode=2:0700', file);
  const device = run('losetup', '--show', '--find', file).trim();
  onTestFinished(() => void run('losetup', '--detach', device));
  run('partx', '--add', device);
  onTestFinished(() => void run('partx', '--delete', device));
  run('mkfs.ext4', '-q', `${device}p1`);
  run('mkfs.ntfs', '-F', '-q', `${device}p2`);
  return { folder: folder.path, device };
}

test('with its partition nodes: used blocks through them, while the whole disk is claimed', async () => {
  const { folder, device } = loopWithPartitions();
  const { volumes, warnings } = await captureDisk({ path: device, store: await store(folder) });
  expect(volumes).toMatchObject([
    { fileSystem: 'ext4', capturedAs: 'used-blocks' },
    { fileSystem: 'ntfs', capturedAs: 'used-blocks' },
  ]);
  expect(warnings).toEqual([]);
});

test('a partition of it that is mounted read-write is found', () => {
  const { folder, device } = loopWithPartitions();
  const mountPoint = path.join(folder, 'root');
  fs.mkdirSync(mountPoint);
  run('mount', `${device}p1`, mountPoint);
  onTestFinished(() => void run('umount', mountPoint));
  expect(() => claimSource(device)).toThrow(`${device}p1 on it is mounted at ${mountPoint}`);
});
