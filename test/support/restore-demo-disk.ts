import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type CapturedDisk, captureDisk } from '#images/capture/capture-disk.ts';
import { type DiskIndex, formatDiskIndex, parseDiskIndex } from '#images/format/disk-index.ts';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import { announceCapture } from '#images/stores/announcement.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { planRestore } from '#runtime/restore/plan-restore.ts';
import type { RestorePlan, TargetDisk } from '#runtime/restore/restore-plan.ts';
import { byRule, type RestoreScope } from '#runtime/restore/restore-scope.ts';

/** A disk like a station's, in a file: GPT, boot code in a gap, ext4 system volume, NTFS data volume. */

export const MiB = 1 << 20;
export const demoDisk = {
  sizeBytes: 96 * MiB,
  root: { startByte: 3 * MiB, sizeBytes: 44 * MiB },
  /** Not on the 1 MiB grid of the disk, to see that chunks are cut there. */
  projects: { startByte: 47 * MiB + 63 * 512, sizeBytes: 40 * MiB },
};

export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export function makeTemporaryFolder(): { path: string; [Symbol.dispose](): void } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rekindle-test-'));
  return { path: folder, [Symbol.dispose]: () => fs.rmSync(folder, { recursive: true, force: true }) };
}

/** Bytes that do not compress and are the same in every run. */
export function noise(seed: string, bytes: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

export function writeAt(file: string, bytes: Uint8Array, offset: number): void {
  const fd = fs.openSync(file, 'r+');
  fs.writeSync(fd, bytes, 0, bytes.length, offset);
  fs.closeSync(fd);
}

export function readAt(file: string, offset: number, length: number): Buffer {
  const fd = fs.openSync(file, 'r');
  const bytes = Buffer.alloc(length);
  fs.readSync(fd, bytes, 0, length, offset);
  fs.closeSync(fd);
  return bytes;
}

export function sha256OfRange(file: string, range: { startByte: number; sizeBytes: number }): string {
  return createHash('sha256')
    .update(readAt(file, range.startByte, range.sizeBytes))
    .digest('hex');
}

export function sha256OfFile(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

export function makeBlankDisk(file: string, sizeBytes: number = demoDisk.sizeBytes): string {
  fs.rmSync(file, { force: true });
  fs.closeSync(fs.openSync(file, 'w'));
  fs.truncateSync(file, sizeBytes);
  return file;
}

export function makeDemoDisk(folder: string): string {
  const file = makeBlankDisk(path.join(folder, 'station.img'));
  const { root, projects } = demoDisk;
  const extent = (range: { startByte: number; sizeBytes: number }): string =>
    `${range.startByte / 512}:${(range.startByte + range.sizeBytes) / 512 - 1}`;
  const boot = ['--new=1:2048:4095', '--typecode=1:ef02', '--change-name=1:boot'];
  const system = [`--new=2:${extent(root)}`, '--typecode=2:8300', '--change-name=2:root'];
  const data = [`--new=3:${extent(projects)}`, '--typecode=3:0700', '--change-name=3:PROJECTS'];
  run(
    'sgdisk',
    '--set-alignment=1',
    '--disk-guid=11111111-2222-4333-8444-555555555555',
    ...boot,
    ...system,
    ...data,
    file,
  );
  writeAt(file, noise('boot code', 200), 0);
  writeAt(file, noise('core.img', 60_000), MiB);

  const content = path.join(folder, 'root');
  fs.mkdirSync(content);
  fs.writeFileSync(path.join(content, 'hostname'), 'OS-SRV-1A\n');
  fs.writeFileSync(path.join(content, 'system'), noise('system', 9 * MiB));
  fs.writeFileSync(path.join(content, 'text'), 'the same line again and again\n'.repeat(100_000));
  const ext4 = makeBlankDisk(path.join(folder, 'root.img'), root.sizeBytes);
  run('mkfs.ext4', '-q', '-F', '-d', content, ext4);
  writeAt(file, fs.readFileSync(ext4), root.startByte);

  const ntfs = makeBlankDisk(path.join(folder, 'projects.img'), projects.sizeBytes);
  run('mkfs.ntfs', '-F', '-q', '-L', 'Projects', ntfs);
  fs.writeFileSync(path.join(folder, 'plant.bin'), noise('plant', 5 * MiB));
  run('ntfscp', '-q', '-f', ntfs, path.join(folder, 'plant.bin'), 'plant.bin');
  writeAt(file, fs.readFileSync(ntfs), projects.startByte);
  return file;
}

export interface CapturedDemo {
  readonly folder: string;
  readonly station: string;
  readonly store: string;
  readonly disk: ImageDisk;
  readonly indexFile: string;
  readonly captured: CapturedDisk;
  /** The station's disk as the image has it (unused blocks are zeros), put back by casync. */
  readonly expected: string;
}

export async function captureDemoDisk(folder: string): Promise<CapturedDemo> {
  const station = makeDemoDisk(folder);
  const store = path.join(folder, 'store');
  fs.mkdirSync(store);
  await using announcement = await announceCapture(store);
  const captured = await captureDisk({
    path: station,
    store: announcement.store,
    dataVolumes: ['PROJECTS'],
  });
  const indexFile = path.join(folder, 'station.caibx');
  fs.writeFileSync(indexFile, formatDiskIndex(captured.index));
  const expected = path.join(folder, 'expected.img');
  run('casync', 'extract', `--store=${path.join(store, 'chunks.castr')}`, indexFile, expected);
  return { folder, station, store, disk: toImageDisk(captured), indexFile, captured, expected };
}

export function toImageDisk(captured: CapturedDisk): ImageDisk {
  return {
    number: 0,
    slot: '0000:00:03.0',
    model: 'TEST DISK',
    sizeBytes: captured.sizeBytes,
    logicalSectorBytes: captured.logicalSectorBytes,
    physicalSectorBytes: 512,
    diskIndex: 'station.caibx',
    partitionTable: captured.partitionTable,
    volumes: captured.volumes,
  };
}

export function readIndex(file: string): DiskIndex {
  return parseDiskIndex(fs.readFileSync(file), file);
}

export function planFor(
  demo: Pick<CapturedDemo, 'disk' | 'indexFile'>,
  target: string,
  isRegisteredDisk = false,
  scope: RestoreScope = byRule,
  found: Partial<TargetDisk> = {},
): RestorePlan {
  const facts = { ...readTargetDisk(target, isRegisteredDisk), ...found };
  const plan = planRestore(demo.disk, readIndex(demo.indexFile), facts, scope);
  if (plan.kind !== 'restore') throw new Error(plan.sentence);
  return plan;
}
