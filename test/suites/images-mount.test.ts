import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { formatImageRef } from '#images/format/image-name.ts';
import { isMounted } from '#images/mount/fuse-file.ts';
import { type MountedImage, type MountOptions, mountImage } from '#images/mount/mount-image.ts';
import { makeCliSite, startCli } from '#test/support/cli-site.ts';
import { type StoredDisk, storeDisk } from '#test/support/image-in-store.ts';
import { serveFolder } from '#test/support/images-folder-server.ts';
import { deletedFiles, hashesOf, makeContent, realFileSystems } from '#test/support/real-file-systems.ts';
import {
  demoDisk,
  MiB,
  makeBlankDisk,
  makeDemoDisk,
  noise,
  run,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

let stored: StoredDisk;
beforeAll(async () => {
  stored = await storeDisk(makeDemoDisk);
  // What a mount makes for itself lies here, and can be told from that of other tests.
  process.env['TMPDIR'] = stored.folder;
});
afterAll(() => stored[Symbol.dispose]());

/**
 * Nothing here reads a mount synchronously: this thread is the server, and would wait for itself.
 */
async function hashesIn(folder: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of (await readdir(folder)).sort()) {
    const file = path.join(folder, name);
    if (!(await stat(file)).isFile()) continue;
    hashes[name] = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  }
  return hashes;
}
const textOf = (...parts: string[]): Promise<string> => readFile(path.join(...parts), 'utf8');

/** Loop devices on files that nbdfuse makes; those of others are none of ours. */
const ourLoops = (): string[] =>
  run('losetup', '--list', '--noheadings', '--output', 'NAME,BACK-FILE')
    .split('\n')
    .filter((line) => /\/nbd( |$)/.test(line) && line.includes(stored.folder));
const fuseFiles = (): string[] =>
  fs
    .readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes('fuse.nbdfuse') && line.includes(stored.folder));
/** FUSE programs take a moment to end after their mount has gone. */
const expectNothingLeft = async (): Promise<void> => {
  await expect.poll(ourLoops, { timeout: 5000 }).toEqual([]);
  expect(fuseFiles()).toEqual([]);
};
afterEach(expectNothingLeft);

/** Before anything looks into the folders again: a mount that a failed test left has no server any more. */
afterEach(() => {
  for (const line of fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const place = line.split(' ')[4]?.replaceAll('\\040', ' ') ?? '';
    if (place.startsWith(`${stored.folder}/`)) run('umount', '--lazy', place);
  }
});

const newFolder = (name: string): string => {
  const folder = stored.inFolder(name);
  fs.mkdirSync(folder);
  return folder;
};
const never = new AbortController().signal;
const mount = (options: Partial<MountOptions> & { readonly folder: string }): Promise<MountedImage> =>
  mountImage({ from: stored.found, ...options });

describe('files of an image', () => {
  test('one volume: files are as they were, nothing can be changed, nothing is left', async () => {
    const folder = newFolder('one');
    const mounted = await mount({ folder, volume: 2 });
    expect(mounted.volumes).toEqual([{ folder, remark: undefined }]);
    expect((await readFile(path.join(folder, 'system'))).equals(noise('system', 9 * MiB))).toBe(true);
    expect(await textOf(folder, 'hostname')).toBe('OS-SRV-1A\n');
    await expect(writeFile(path.join(folder, 'new'), '')).rejects.toThrow('EROFS');
    await expect(rm(path.join(folder, 'hostname'))).rejects.toThrow('EROFS');
    await mounted.unmount(never);
    expect(fs.readdirSync(folder)).toEqual([]);
    await mounted.ended;
  });

  test('from a plain web server: the same files', async () => {
    const server = await serveFolder(stored.found.store, false, 0, null);
    onTestFinished(() => server.close());
    const folder = newFolder('from the web');
    const mounted = await mount({ from: { ...stored.found, store: server.url }, folder, volume: 2 });
    expect((await readFile(path.join(folder, 'system'))).equals(noise('system', 9 * MiB))).toBe(true);
    expect(server.requests.some((request) => request.startsWith('GET /chunks.castr/'))).toBe(true);
    await mounted.unmount(never);
  });

  test('all volumes, in a folder that is made for them; what gives no files is told', async () => {
    const folder = stored.inFolder('all of them');
    const mounted = await mount({ folder });
    expect(mounted.volumes.map((each) => path.relative(folder, each.folder))).toEqual([
      'volume-2',
      'volume-3',
    ]);
    expect(mounted.skipped).toEqual(['volume 1 (unknown boot): no file system was recognised in it.']);
    const plant = await readFile(path.join(folder, 'volume-3/plant.bin'));
    expect(plant.equals(noise('plant', 5 * MiB))).toBe(true);
    await mounted.unmount(never);
    expect(fs.existsSync(folder)).toBe(false);
  });

  test('every file system that is known gives its files, by the kernel or by FUSE', async () => {
    const content = stored.inFolder('content');
    makeContent(content, MiB);
    // ext2 and ext3 are read by the same driver as ext4, all FATs by one.
    const kinds = realFileSystems.filter(({ name }) => !/^(ext[23]|FAT1[26])$/.test(name));
    using all = await storeDisk((folder) => {
      const total = kinds.reduce((sum, { sizeBytes }) => sum + sizeBytes, 8 * MiB);
      const disk = makeBlankDisk(path.join(folder, 'all.img'), total);
      let start = 2048;
      const parts: string[] = [];
      const places = kinds.map((kind, number) => {
        const sectors = kind.sizeBytes / 512;
        parts.push(`--new=${number + 1}:${start}:${start + sectors - 1}`);
        start += sectors;
        return (start - sectors) * 512;
      });
      run('sgdisk', '--set-alignment=1', ...parts, disk);
      for (const [number, kind] of kinds.entries()) {
        const volume = path.join(folder, 'volume');
        kind.make(volume);
        kind.fill(volume, content, deletedFiles);
        run(
          'dd',
          `if=${volume}`,
          `of=${disk}`,
          'bs=1M',
          'conv=notrunc,sparse',
          'oflag=seek_bytes',
          `seek=${places[number]}`,
        );
        fs.rmSync(volume);
      }
      return disk;
    });
    const folder = newFolder('kinds');
    const mounted = await mount({ from: all.found, folder });
    const kept = Object.entries(hashesOf(content)).filter(([name]) => !deletedFiles.includes(name));
    // FAT's short names come in capitals from some drivers.
    const found = async (place: string) =>
      Object.entries(await hashesIn(place)).map(([name, hash]) => [name.toLowerCase(), hash]);
    expect(mounted.skipped).toEqual([]);
    expect(mounted.volumes.map(({ remark }) => remark)).toEqual(kinds.map(() => undefined));
    for (const { folder: place } of mounted.volumes) expect(await found(place), place).toEqual(kept);
    await mounted.unmount(never);
  });

  test('a journal that was not replayed is told', async () => {
    using crashed = await storeDisk((folder) => {
      const disk = makeBlankDisk(path.join(folder, 'crashed.img'), 64 * MiB);
      run('sgdisk', '--new=1:2048:+40M', disk);
      const volume = makeBlankDisk(path.join(folder, 'volume'), 40 * MiB);
      run('mkfs.ext4', '-q', '-F', volume);
      const place = path.join(folder, 'place');
      fs.mkdirSync(place);
      run('mount', '-o', 'loop', volume, place);
      try {
        fs.writeFileSync(path.join(place, 'kept'), noise('kept', MiB));
        run('sync', '-f', place);
        // What a power cut or a crash-consistent snapshot leaves.
        writeAt(disk, fs.readFileSync(volume), MiB);
      } finally {
        run('umount', place);
      }
      return disk;
    });
    const folder = newFolder('crashed');
    const mounted = await mount({ from: crashed.found, folder, volume: 1 });
    expect(mounted.volumes[0]?.remark).toContain('its journal was not replayed');
    expect((await readFile(path.join(folder, 'kept'))).equals(noise('kept', MiB))).toBe(true);
    await mounted.unmount(never);
  });

  test('a damaged chunk is an error in its file, is named, and other files are read', async () => {
    const place = run(
      'debugfs',
      '-R',
      'blocks system',
      `${stored.expected}?offset=${demoDisk.root.startByte}`,
    );
    const blocks = place.trim().split(/\s+/).map(Number);
    const middle = blocks[blocks.length >>> 1] ?? Number.NaN;
    const blockBytes = Number(
      /Block size:\s+(\d+)/.exec(
        run('dumpe2fs', '-h', `${stored.expected}?offset=${demoDisk.root.startByte}`),
      )?.[1],
    );
    const damaged = stored.damagedAt(demoDisk.root.startByte + middle * blockBytes);
    const unreadable: string[] = [];
    const folder = newFolder('damaged');
    const mounted = await mount({
      from: damaged.found,
      folder,
      volume: 2,
      onUnreadable: (error) => unreadable.push(String(error)),
    });
    await expect(readFile(path.join(folder, 'system'))).rejects.toThrow('EIO');
    expect(unreadable).toHaveLength(1);
    expect(unreadable[0]).toContain(damaged.chunk);
    expect(await textOf(folder, 'hostname')).toBe('OS-SRV-1A\n');
    expect(await textOf(folder, 'text')).toHaveLength(3_000_000);
    await mounted.unmount(never);
  });
});

describe('unmounting', () => {
  test('waits for who still reads, and says so', async () => {
    const folder = newFolder('busy');
    const mounted = await mount({ folder, volume: 2 });
    const file = await open(path.join(folder, 'hostname'));
    const busy: string[] = [];
    const unmounting = mounted.unmount(never, (place, reason) => busy.push(`${place}: ${reason}`));
    await sleep(1500);
    expect(isMounted(folder)).toBe(true);
    expect(await file.readFile('utf8')).toBe('OS-SRV-1A\n');
    await file.close();
    await unmounting;
    expect(busy).toHaveLength(1);
    expect(busy[0]).toContain('busy');
    expect(isMounted(folder)).toBe(false);
  });

  test('does not wait when it is forced', async () => {
    const folder = newFolder('forced');
    const mounted = await mount({ folder, volume: 2 });
    const file = await open(path.join(folder, 'hostname'));
    const force = new AbortController();
    await mounted.unmount(force.signal, () => force.abort());
    expect(isMounted(folder)).toBe(false);
    await file.close();
  });
});

describe('what cannot be mounted', () => {
  test.each([
    ['a volume that is not there', { volume: 9 }, 'has no volume 9'],
    ['a volume without a file system', { volume: 1 }, 'no volume gives files'],
  ])('%s', async (_, options, reason) => {
    await expect(mount({ folder: stored.inFolder('refused'), ...options })).rejects.toThrow(reason);
    expect(fs.existsSync(stored.inFolder('refused'))).toBe(false);
  });

  test('at a folder that is not empty, or is in use', async () => {
    await expect(mount({ folder: stored.folder })).rejects.toThrow('it is not empty');
    const folder = newFolder('twice');
    const mounted = await mount({ folder, volume: 3 });
    await expect(mount({ folder, volume: 2 })).rejects.toThrow('something is mounted there');
    await mounted.unmount(never);
  });

  test('a file system that is damaged: the reason of the tool is told', async () => {
    using damaged = await storeDisk((folder) => {
      const disk = makeDemoDisk(folder);
      // The size of an inode (ext4 super block, 0x58): blkid still knows the file system.
      writeAt(disk, Buffer.from([0xff, 0xff]), demoDisk.root.startByte + 1024 + 0x58);
      return disk;
    });
    await expect(
      mount({ from: damaged.found, folder: stored.inFolder('unsound'), volume: 2 }),
    ).rejects.toMatchObject({
      message: expect.stringContaining('Mounting volume 2 (ext4 root)'),
      cause: { message: expect.stringContaining('mount -t ext4') },
    });
    expect(fs.existsSync(stored.inFolder('unsound'))).toBe(false);
    const folder = newFolder('the others');
    const mounted = await mount({ from: damaged.found, folder });
    expect(mounted.volumes.map((each) => path.basename(each.folder))).toEqual(['volume-3']);
    expect(mounted.skipped).toHaveLength(2);
    await mounted.unmount(never);
  });
});

describe('rekindle image mount', () => {
  let site: string;
  let ref: string;
  beforeAll(async () => {
    site = await makeCliSite(stored.folder);
    ref = formatImageRef(stored.found.image);
  });
  const start = (...args: string[]) =>
    startCli('image', 'mount', ref, '--site', site, '--store', stored.store, ...args);

  test.each(['SIGINT', 'SIGTERM'] as const)('%s unmounts', async (signal) => {
    const folder = newFolder(signal);
    await using cli = start('--at', folder, '--volume', '2');
    await cli.said('Ctrl-C unmounts it');
    expect(await textOf(folder, 'hostname')).toBe('OS-SRV-1A\n');
    cli.process.kill(signal);
    expect(await cli.exitCode, cli.output()).toBe(0);
    expect(cli.output()).toContain('Unmounted.');
    expect(isMounted(folder)).toBe(false);
  });

  test('a plain umount ends it', async () => {
    const folder = newFolder('umount');
    await using cli = start('--at', folder);
    await cli.said('Ctrl-C unmounts it');
    run('umount', path.join(folder, 'volume-2'));
    await sleep(300);
    expect((await stat(path.join(folder, 'volume-3/plant.bin'))).size).toBe(5 * MiB);
    run('umount', path.join(folder, 'volume-3'));
    expect(await cli.exitCode, cli.output()).toBe(0);
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  test('killed, it leaves a folder that gives errors and can be unmounted; no more is left then', async () => {
    const folder = newFolder('killed');
    await using cli = start('--at', folder, '--volume', '2');
    await cli.said('Ctrl-C unmounts it');
    cli.process.kill('SIGKILL');
    await cli.exitCode;
    await expect(readFile(path.join(folder, 'system'))).rejects.toThrow('EIO');
    run('umount', folder);
    await expectNothingLeft();
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  test('--nbd serves the disk until SIGTERM', async () => {
    const socket = stored.inFolder('disk.sock');
    await using cli = start('--nbd', socket);
    await cli.said('until Ctrl-C');
    const uri = `nbd+unix:///?socket=${socket}`;
    expect(run('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', uri, stored.expected)).toContain('identical');
    cli.process.kill('SIGTERM');
    expect(await cli.exitCode, cli.output()).toBe(0);
    expect(fs.existsSync(socket)).toBe(false);
  });

  test('needs a folder or a socket', async () => {
    await using cli = start();
    expect(await cli.exitCode).toBe(2);
    expect(cli.output()).toContain('Add --at FOLDER, or --nbd SOCKET');
  });
});
