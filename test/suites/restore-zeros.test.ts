import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDisk } from '#images/block-device/disk-handle.ts';
import { captureDisk } from '#images/capture/capture-disk.ts';
import { chunkIdOf, zeroChunkId } from '#images/format/chunk-id.ts';
import { formatDiskIndex, newDiskIndex } from '#images/format/disk-index.ts';
import { announceCapture } from '#images/stores/announcement.ts';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import type { RestorePlan } from '#runtime/restore/restore-plan.ts';
import { canZero, planZeroRanges } from '#runtime/restore/zero-ranges.ts';
import { attachLoop } from '#test/support/loop-device.ts';
import {
  MiB,
  makeBlankDisk,
  makeTemporaryFolder,
  noise,
  planFor,
  sha256OfFile,
  toImageDisk,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

/** A disk that is mostly empty in the image and full of something else now: zeros come from the device. */

const sizeBytes = 96 * MiB;
let folder: ReturnType<typeof makeTemporaryFolder>;
let original: string;
let store: string;
let image: Parameters<typeof planFor>[0];

beforeAll(async () => {
  folder = makeTemporaryFolder();
  store = path.join(folder.path, 'store');
  fs.mkdirSync(store);
  original = makeBlankDisk(path.join(folder.path, 'original.img'), sizeBytes);
  writeAt(original, noise('begin', 3 * MiB), 0);
  writeAt(original, noise('middle', 2 * MiB), 60 * MiB);
  await using announcement = await announceCapture(store);
  const captured = await captureDisk({ path: original, store: announcement.store });
  const indexFile = path.join(folder.path, 'disk.caibx');
  fs.writeFileSync(indexFile, formatDiskIndex(captured.index));
  image = { disk: toImageDisk(captured), indexFile };
});
afterAll(() => folder[Symbol.dispose]());

function fullDisk(): string {
  const file = makeBlankDisk(path.join(folder.path, 'target.img'), sizeBytes);
  writeAt(file, noise('old life', 50 * MiB), 5 * MiB);
  writeAt(file, noise('old', MiB), 80 * MiB);
  return file;
}
const restore = (device: string) =>
  restoreDisk({ plan: planFor(image, device), path: device, source: { kind: 'directory', path: store } });
const allocated = (file: string): number => fs.statSync(file).blocks * 512;

test('long ranges are zeroed by the device, which keeps nothing of them; all of it is read back', async () => {
  const file = fullDisk();
  expect(allocated(file)).toBeGreaterThan(50 * MiB);
  using loop = attachLoop(file);
  const result = await restore(loop.path);
  expect(sha256OfFile(file)).toBe(sha256OfFile(original));
  expect(allocated(file)).toBeLessThan(10 * MiB);
  expect(result.bytes.verified).toBe(sizeBytes);
  expect(result.bytes.fetched).toBe(5 * MiB);
});

test('a device that says no is sent the zeros', async () => {
  const file = fullDisk();
  using loop = attachLoop(file);
  const bin = path.join(folder.path, 'bin');
  fs.mkdirSync(bin);
  fs.writeFileSync(path.join(bin, 'fallocate'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const searchPath = process.env['PATH'];
  process.env['PATH'] = `${bin}:${searchPath}`;
  try {
    const result = await restore(loop.path);
    expect(result.bytes.verified).toBe(sizeBytes);
  } finally {
    process.env['PATH'] = searchPath;
  }
  expect(sha256OfFile(file)).toBe(sha256OfFile(original));
  expect(allocated(file)).toBeGreaterThan(45 * MiB);
});

test('a disk kept in a file is written as it is', () => {
  const disk = openDisk(fullDisk(), { direct: true });
  expect(canZero(disk)).toBe(false);
  disk.close();
});

test('ranges: never over data or what was zero already, and none for a few chunks', () => {
  const index = newDiskIndex(
    Float64Array.from({ length: 100 }, (_, at) => (at + 1) * MiB),
    MiB,
  );
  for (let number = 0; number < 100; number++) {
    const id = number === 50 ? chunkIdOf(Buffer.from('data')) : zeroChunkId(MiB);
    index.ids.set(Buffer.from(id, 'hex'), number * 32);
  }
  const plan = { index, chunks: Uint32Array.from({ length: 100 }, (_, at) => at) } as unknown as RestorePlan;
  const from = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at);
  const marked = new Set([...from(2, 8), ...from(11, 9), ...from(25, 7), ...from(40, 20), 90]);
  const inMiB = planZeroRanges(plan, (slot) => marked.has(slot)).map((range) => [
    range.startByte / MiB,
    range.sizeBytes / MiB,
    range.slots.length,
  ]);
  expect(inMiB).toEqual([
    [2, 8, 8],
    [11, 9, 9],
    [40, 10, 10],
    [51, 9, 9],
  ]);
});
