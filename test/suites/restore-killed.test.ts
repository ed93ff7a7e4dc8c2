import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { zeroChunkId } from '#images/format/chunk-id.ts';
import { chunkAt } from '#images/format/disk-index.ts';
import { readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import { parseScope } from '#runtime/restore/restore-scope.ts';
import {
  type CapturedDemo,
  captureDemoDisk,
  demoDisk,
  MiB,
  makeBlankDisk,
  makeTemporaryFolder,
  noise,
  planFor,
  readIndex,
  sha256OfFile,
  sha256OfRange,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

/**
 * kill -9 at an exact system call (strace counts them for each thread), on a disk without a serial number
 * whose data volume has newer content. Wherever the kill falls, the next start must know the data volume,
 * leave it alone, and end bit-identical.
 */

let folder: ReturnType<typeof makeTemporaryFolder>;
let demo: CapturedDemo;
let damaged: string;
let diskFile: string;

beforeAll(async () => {
  folder = makeTemporaryFolder();
  demo = await captureDemoDisk(folder.path);
  damaged = path.join(folder.path, 'damaged.img');
  fs.copyFileSync(demo.expected, damaged);
  writeAt(damaged, noise('newer project', 3 * MiB), demoDisk.projects.startByte + 10 * MiB);
  writeAt(damaged, noise('ransom', 12 * MiB), demoDisk.root.startByte);
  diskFile = path.join(folder.path, 'disk.json');
  fs.writeFileSync(diskFile, JSON.stringify(demo.disk));
});
afterAll(() => folder[Symbol.dispose]());

const child = path.join(import.meta.dirname, '../support/restore-child.ts');

function restoreWithFault(
  target: string,
  fault: string,
  ...volumes: string[]
): { signal: NodeJS.Signals | null; status: number | null; stderr: string } {
  const traced = [process.execPath, child, diskFile, demo.indexFile, demo.store, target, ...volumes];
  const inject = [`--trace=${fault.split(':')[0]}`, `--inject=${fault}`];
  const result = spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', ...inject, ...traced], {
    encoding: 'utf8',
  });
  if (result.error !== undefined) {
    throw new Error('strace did not start; install the Debian package strace', { cause: result.error });
  }
  return result;
}

// Main thread: note, table, end of disk, then at the end backup GPT, entries, LBA 0 and 1. Worker: chunks.
test.each([
  ['pwrite64', 2],
  ['pwrite64', 4],
  ['pwrite64', 9],
  ['pwrite64', 12],
  ['fsync', 1],
  ['fsync', 2],
  ['fsync', 4],
  ['fsync', 6],
])('killed at %s number %d: resumes, ends bit-identical, data volume untouched', async (call, count) => {
  const target = path.join(folder.path, 'target.img');
  fs.copyFileSync(damaged, target);
  const projects = sha256OfRange(target, demoDisk.projects);
  const complete = sha256OfRange(demo.expected, demoDisk.root);
  const untouched = sha256OfRange(damaged, demoDisk.root);

  expect(restoreWithFault(target, `${call}:signal=KILL:when=${count}`).signal).toBe('SIGKILL');
  // A table that can be read means: nothing begun yet, or all of it done and verified.
  if (readTargetDisk(target, false).table.kind !== 'none') {
    expect([complete, untouched]).toContain(sha256OfRange(target, demoDisk.root));
  }

  const plan = planFor(demo, target);
  expect(plan.kept).toHaveLength(1);
  await restoreDisk({ plan, path: target, source: { kind: 'directory', path: demo.store }, workers: 2 });
  expect(sha256OfRange(target, demoDisk.projects)).toBe(projects);
  for (const range of [
    { startByte: 0, sizeBytes: demoDisk.projects.startByte },
    { startByte: 88 * MiB, sizeBytes: 8 * MiB },
  ]) {
    expect(sha256OfRange(target, range)).toBe(sha256OfRange(demo.expected, range));
  }
});

test.each([
  [
    'a write that the disk loses',
    'pwrite64:retval=1048576:when=10',
    /Reading back .*LBA \d+.*chunk [0-9a-f]{64}/,
  ],
  ['a write error', 'pwrite64:error=EIO:when=10', /Writing .*LBA \d+.*after .* of /],
  ['a flush error', 'fsync:error=EIO:when=4', /Flushing .*target\.img/],
])('%s is never called done; the next start ends bit-identical', async (_, fault, sentence) => {
  const target = path.join(folder.path, 'target.img');
  fs.copyFileSync(damaged, target);
  const result = restoreWithFault(target, fault);
  expect(result.status).toBe(1);
  expect(result.stderr).toMatch(sentence);
  expect(readTargetDisk(target, false).table.kind).toBe('none');
  await restoreDisk({
    plan: planFor(demo, target),
    path: target,
    source: { kind: 'directory', path: demo.store },
  });
  expect(sha256OfRange(target, demoDisk.root)).toBe(sha256OfRange(demo.expected, demoDisk.root));
});

test('a note that the disk loses: nothing else is written, the data volume and the table stay', () => {
  const target = path.join(folder.path, 'note.img');
  fs.copyFileSync(damaged, target);
  const before = sha256OfFile(target);
  const result = restoreWithFault(target, 'pwrite64:retval=1048576:when=1');
  expect(result.status).toBe(1);
  expect(result.stderr).toMatch(/Reading back .*LBA \d+/);
  expect(sha256OfFile(target)).toBe(before);
});

test.each([10, 18, 26])(
  'killed at chunk write %i: nine tenths of what was right are not fetched again',
  async (count) => {
    const target = makeBlankDisk(path.join(folder.path, 'resumed.img'));
    expect(restoreWithFault(target, `pwrite64:signal=KILL:when=${count}`).signal).toBe('SIGKILL');
    const index = readIndex(demo.indexFile);
    const needed = Array.from({ length: index.ends.length }, (_, number) => chunkAt(index, number)).filter(
      ({ id, sizeBytes }) => id !== zeroChunkId(sizeBytes),
    );
    const bytes = (chunks: typeof needed) => chunks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const right = needed.filter((chunk) => sha256OfRange(target, chunk) === chunk.id);
    expect(right.length).toBeGreaterThan(4);
    const { bytes: moved } = await restoreDisk({
      plan: planFor(demo, target),
      path: target,
      source: { kind: 'directory', path: demo.store },
    });
    const kept = (bytes(needed) - moved.fetched) / bytes(right);
    expect(kept).toBeGreaterThanOrEqual(0.9);
    expect(kept).toBeLessThanOrEqual(1);
  },
);

test('one volume, killed in the middle: half restored, not a survivor; the next start ends as the image has it', async () => {
  const target = path.join(folder.path, 'volume.img');
  fs.copyFileSync(damaged, target);
  const [before, behind] = [
    { startByte: 0, sizeBytes: demoDisk.projects.startByte },
    { startByte: 88 * MiB, sizeBytes: 8 * MiB },
  ].map((range) => ({ range, sha256: sha256OfRange(target, range) }));
  expect(restoreWithFault(target, 'pwrite64:signal=KILL:when=3', '0:3').signal).toBe('SIGKILL');
  expect(readTargetDisk(target, false)).toMatchObject({ halfRestored: [3], interrupted: null });
  expect(planFor(demo, target).kept).toEqual([]);

  const scope = parseScope('PROJECTS', [demo.disk]);
  const plan = planFor(demo, target, false, scope);
  await restoreDisk({ plan, path: target, source: { kind: 'directory', path: demo.store } });
  expect(sha256OfRange(target, demoDisk.projects)).toBe(sha256OfRange(demo.expected, demoDisk.projects));
  expect(readTargetDisk(target, false).halfRestored).toEqual([]);
  for (const each of [before, behind])
    expect(each === undefined ? '' : sha256OfRange(target, each.range)).toBe(each?.sha256);
});
