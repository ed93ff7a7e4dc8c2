import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { formatDiskIndex } from '#images/format/disk-index.ts';
import { announceCapture } from '#images/stores/announcement.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { planRestore } from '#runtime/restore/plan-restore.ts';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import {
  MiB,
  makeBlankDisk,
  makeTemporaryFolder,
  noise,
  planFor,
  readIndex,
  run,
  sha256OfFile,
  toImageDisk,
} from '#test/support/restore-demo-disk.ts';

/** Real block devices: loop devices with sectors of 512 and 4096 bytes, the kernel's own partition nodes. */

let folder: ReturnType<typeof makeTemporaryFolder>;
let attached: string[];
beforeEach(() => {
  folder = makeTemporaryFolder();
  attached = [];
});
afterEach(() => {
  for (const device of attached) {
    if (fs.existsSync(`${device}p1`)) run('partx', '--delete', device);
    run('losetup', '--detach', device);
  }
  folder[Symbol.dispose]();
});

function attach(file: string, sectorBytes: number, ...options: string[]): string {
  const device = run(
    'losetup',
    '--show',
    '--find',
    '--partscan',
    `--sector-size=${sectorBytes}`,
    ...options,
    file,
  ).trim();
  attached.push(device);
  return device;
}

/** partx reads the table itself: the kernel of the machine that runs this may know none. */
function partitionNode(device: string): string {
  run('partx', '--update', device);
  return `${device}p1`;
}

function makeStation(sectorBytes: number): { device: string; file: string } {
  const file = makeBlankDisk(path.join(folder.path, 'station.img'), 64 * MiB);
  const device = attach(file, sectorBytes);
  const [first, last] = [(2 * MiB) / sectorBytes, (50 * MiB) / sectorBytes - 1];
  run('sgdisk', '--set-alignment=1', `--new=1:${first}:${last}`, '--change-name=1:root', device);
  const node = partitionNode(device);
  const content = path.join(folder.path, 'content');
  fs.mkdirSync(content);
  fs.writeFileSync(path.join(content, 'system'), noise('system', 6 * MiB));
  run('mkfs.ext4', '-q', '-F', '-d', content, node);
  return { device, file };
}

async function capture(device: string): Promise<Parameters<typeof planFor>[0] & { store: string }> {
  const store = path.join(folder.path, 'store');
  fs.mkdirSync(store);
  await using announcement = await announceCapture(store);
  const captured = await captureDisk({ path: device, store: announcement.store });
  expect(captured.volumes).toMatchObject([{ name: 'root', fileSystem: 'ext4', capturedAs: 'used-blocks' }]);
  const indexFile = path.join(folder.path, 'disk.caibx');
  fs.writeFileSync(indexFile, formatDiskIndex(captured.index));
  return { disk: toImageDisk(captured), indexFile, store };
}

describe.each([512, 4096])('block devices with sectors of %d bytes', (sectorBytes) => {
  test('captured through the partition node, restored to a larger disk past the page cache', async () => {
    const station = makeStation(sectorBytes);
    const image = await capture(station.device);
    const target = attach(makeBlankDisk(path.join(folder.path, 'target.img'), 72 * MiB), sectorBytes);
    await restoreDisk({
      plan: planFor(image, target),
      path: target,
      source: { kind: 'directory', path: image.store },
    });
    const node = partitionNode(target);
    run('e2fsck', '-f', '-n', node);
    run('debugfs', '-R', `dump system ${path.join(folder.path, 'system')}`, node);
    expect(fs.readFileSync(path.join(folder.path, 'system')).equals(noise('system', 6 * MiB))).toBe(true);
    expect(run('sgdisk', '--verify', target)).toContain('No problems found');
  });

  test('another sector size, a mounted and a write-protected disk are refused with no byte written', async () => {
    const station = makeStation(sectorBytes);
    const image = await capture(station.device);
    const other = makeBlankDisk(path.join(folder.path, 'other.img'), 64 * MiB);
    const otherSectors = attach(other, sectorBytes === 512 ? 4096 : 512);
    const refusal = planRestore(image.disk, readIndex(image.indexFile), readTargetDisk(otherSectors, false));
    expect(refusal).toMatchObject({ kind: 'refused', reason: 'sector-size' });

    const before = sha256OfFile(station.file);
    const source = { kind: 'directory', path: image.store } as const;
    const plan = planFor(image, station.device);
    const mountPoint = path.join(folder.path, 'mounted');
    fs.mkdirSync(mountPoint);
    run('mount', '-o', 'ro,noload', `${station.device}p1`, mountPoint);
    try {
      await expect(restoreDisk({ plan, path: station.device, source })).rejects.toThrow('it is in use');
    } finally {
      run('umount', mountPoint);
    }
    const readOnly = attach(station.file, sectorBytes, '--read-only');
    await expect(restoreDisk({ plan, path: readOnly, source })).rejects.toThrow('it is write-protected');
    expect(sha256OfFile(station.file)).toBe(before);
  });
});
