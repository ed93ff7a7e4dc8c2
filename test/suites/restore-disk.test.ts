import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatError, RekindleError } from '#base/errors.ts';
import { chunkPath } from '#images/format/chunk-id.ts';
import { chunkAt } from '#images/format/disk-index.ts';
import { openStore } from '#images/stores/open-store.ts';
import { findDataFileSystems, readTargetDisk } from '#runtime/block/read-target-disk.ts';
import { assertChunksPresent } from '#runtime/restore/check-chunks-present.ts';
import { planRestore } from '#runtime/restore/plan-restore.ts';
import { type RestoredDisk, type RestoreProgress, restoreDisk } from '#runtime/restore/restore-disk.ts';
import { byRule } from '#runtime/restore/restore-scope.ts';
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
  run,
  sha256OfFile,
  sha256OfRange,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

let folder: ReturnType<typeof makeTemporaryFolder>;
let demo: CapturedDemo;

beforeAll(async () => {
  folder = makeTemporaryFolder();
  demo = await captureDemoDisk(folder.path);
});
afterAll(() => folder[Symbol.dispose]());

const targetFile = (name: string): string => path.join(folder.path, name);
const copyOfExpected = (name: string): string => {
  const file = targetFile(name);
  fs.copyFileSync(demo.expected, file);
  return file;
};
const restoreTo = (target: string, store = demo.store, registered = false): Promise<RestoredDisk> =>
  restoreDisk({
    plan: planFor(demo, target, registered),
    path: target,
    source: { kind: 'directory', path: store },
    workers: 2,
  });

function emptyStore(name: string): string {
  const store = targetFile(name);
  fs.mkdirSync(store, { recursive: true });
  return store;
}

/** A store of its own with the same chunks, for tests that damage it. */
function copyOfStore(name: string): string {
  const store = targetFile(name);
  fs.cpSync(demo.store, store, { recursive: true });
  return store;
}

/** Number of a chunk of the root volume that is noise, so used and in one place only. */
function aSystemChunk(): number {
  const index = readIndex(demo.indexFile);
  for (let number = 0; number < index.ends.length; number++) {
    const chunk = chunkAt(index, number);
    const size = fs.statSync(path.join(demo.store, 'chunks.castr', chunkPath(chunk.id))).size;
    if (chunk.startByte > demoDisk.root.startByte && size > 900_000) return number;
  }
  throw new Error('the demo disk has no chunk of noise');
}

describe('restore of a whole disk', () => {
  test('onto a new disk: bit-identical to what casync extracts, every byte accounted for', async () => {
    const target = makeBlankDisk(targetFile('new.img'));
    const progress: RestoreProgress[] = [];
    const plan = planFor(demo, target);
    const result = await restoreDisk({
      plan,
      path: target,
      source: { kind: 'directory', path: demo.store },
      onProgress: (each) => progress.push(each),
    });
    expect(sha256OfFile(target)).toBe(sha256OfFile(demo.expected));
    expect(plan.survivedBy).toBeNull();
    expect(result.kept).toEqual([]);
    expect(result.bytes.verified).toBe(demoDisk.sizeBytes);
    expect(result.chunks.verified).toBe(readIndex(demo.indexFile).ends.length);
    expect(result.restored.reduce((sum, range) => sum + range.sizeBytes, 0)).toBe(demoDisk.sizeBytes);
    expect(new Set(progress.map(({ phase }) => phase))).toEqual(
      new Set(['restoring', 'verifying', 'finishing']),
    );
    run('sgdisk', '--verify', target);
  });

  test('onto a complete disk from an empty store: nothing is fetched', async () => {
    const target = copyOfExpected('complete.img');
    const result = await restoreTo(target, emptyStore('empty'));
    expect(result.bytes.fetched).toBe(0);
    expect(result.chunks.written).toBe(0);
    expect(sha256OfFile(target)).toBe(sha256OfFile(demo.expected));
  });

  test('onto a damaged disk: fetches the damaged chunks only', async () => {
    const target = copyOfExpected('damaged.img');
    writeAt(target, noise('damage', 4096), demoDisk.root.startByte + 2 * MiB + 100);
    writeAt(target, noise('damage', 4096), demoDisk.root.startByte + 5 * MiB);
    const result = await restoreTo(target);
    expect(result.chunks.written).toBe(2);
    expect(result.bytes.fetched).toBeLessThanOrEqual(2 * MiB);
    expect(sha256OfFile(target)).toBe(sha256OfFile(demo.expected));
  });

  test('onto a larger disk: backup GPT at its own end, entries unchanged', async () => {
    const target = makeBlankDisk(targetFile('larger.img'), demoDisk.sizeBytes + 5 * MiB);
    await restoreTo(target);
    expect(run('sgdisk', '--verify', target)).toContain('No problems found');
    const { root, projects } = demoDisk;
    for (const range of [root, projects])
      expect(sha256OfRange(target, range)).toBe(sha256OfRange(demo.expected, range));
    const info = run('sgdisk', '--print', target);
    expect(info).toContain('11111111-2222-4333-8444-555555555555');
    expect(readTargetDisk(target, false).table).toMatchObject({ kind: 'gpt', problems: [] });
  });

  test('onto a smaller disk that still holds every partition', async () => {
    const target = makeBlankDisk(targetFile('smaller.img'), demoDisk.sizeBytes - 3 * MiB - 512);
    await restoreTo(target);
    expect(run('sgdisk', '--verify', target)).toContain('No problems found');
    for (const range of [demoDisk.root, demoDisk.projects]) {
      expect(sha256OfRange(target, range)).toBe(sha256OfRange(demo.expected, range));
    }
  });

  test('a disk too small by one sector is refused with the exact shortfall', () => {
    const needed = demoDisk.projects.startByte + demoDisk.projects.sizeBytes + 33 * 512;
    const target = makeBlankDisk(targetFile('small.img'), needed - 512);
    const plan = planRestore(demo.disk, readIndex(demo.indexFile), readTargetDisk(target, false));
    expect(plan).toMatchObject({ kind: 'refused', reason: 'too-small', shortfallBytes: 512 });
    expect(planFor(demo, makeBlankDisk(target, needed)).kind).toBe('restore');
  });
});

describe('a data volume on a disk that survived', () => {
  test('keeps newer content byte for byte while the system volume comes back', async () => {
    const target = copyOfExpected('survived.img');
    writeAt(target, noise('newer project', 3 * MiB), demoDisk.projects.startByte + 10 * MiB);
    writeAt(target, noise('ransom', 8 * MiB), demoDisk.root.startByte);
    const before = sha256OfRange(target, demoDisk.projects);
    const result = await restoreTo(target);
    expect(result.kept).toEqual([{ what: 'partition 3 "PROJECTS" (ntfs)', ...demoDisk.projects }]);
    expect(sha256OfRange(target, demoDisk.projects)).toBe(before);
    expect(sha256OfRange(target, demoDisk.root)).toBe(sha256OfRange(demo.expected, demoDisk.root));
    expect(run('sgdisk', '--verify', target)).toContain('No problems found');
  });

  test('is found through the backup GPT when the first sectors are gone', () => {
    const target = copyOfExpected('no-primary.img');
    writeAt(target, Buffer.alloc(34 * 512), 0);
    expect(planFor(demo, target).survivedBy).toBe('data-partition');
  });

  test('is kept on the registered disk without a readable table, as long as its file system is there', async () => {
    const target = copyOfExpected('no-table.img');
    writeAt(target, Buffer.alloc(34 * 512), 0);
    writeAt(target, Buffer.alloc(33 * 512), demoDisk.sizeBytes - 33 * 512);
    const look = async () => ({
      fileSystems: await findDataFileSystems(target, demoDisk.sizeBytes, demo.disk.volumes),
    });
    const plan = planFor(demo, target, true, byRule, await look());
    expect(plan).toMatchObject({ survivedBy: 'registered-disk', kept: [{ reason: expect.any(String) }] });
    expect(plan.warnings.join(' ')).toMatch(
      /table of this disk is gone.*"PROJECTS" \(ntfs\): still at its place/,
    );
    expect(planFor(demo, target, false).survivedBy).toBeNull();

    writeAt(target, Buffer.alloc(MiB), demoDisk.projects.startByte);
    const facts = { ...readTargetDisk(target, true), ...(await look()) };
    const lost = planRestore(demo.disk, readIndex(demo.indexFile), facts);
    expect(lost).toMatchObject({ kind: 'data-lost', volumes: [{ name: 'PROJECTS' }] });
    const decided = (lostData: 'restore' | 'leave') =>
      planFor(demo, target, true, { kind: 'by-rule', lostData }, facts);
    expect(decided('leave').kept).toMatchObject([demoDisk.projects]);
    expect(decided('restore').kept).toEqual([]);
  });

  test('at another place than in the image: refused as ambiguous', () => {
    const target = makeBlankDisk(targetFile('moved.img'));
    const guid = demo.disk.volumes.find((volume) => volume.role === 'data')?.partitionGuid ?? '';
    run('sgdisk', '--new=1:2048:20479', `--partition-guid=1:${guid}`, target);
    const plan = planRestore(demo.disk, readIndex(demo.indexFile), readTargetDisk(target, false));
    expect(plan).toMatchObject({ kind: 'refused', reason: 'ambiguous-layout' });
  });
});

describe('a damaged store', () => {
  test('a missing chunk is named before the first write', async () => {
    const store = copyOfStore('store-missing');
    const chunk = chunkAt(readIndex(demo.indexFile), aSystemChunk());
    fs.rmSync(path.join(store, 'chunks.castr', chunkPath(chunk.id)));
    const target = makeBlankDisk(targetFile('missing.img'));
    const source = openStore({ kind: 'directory', path: store });
    await expect(assertChunksPresent(planFor(demo, target), source)).rejects.toThrow(chunk.id);
    await expect(
      assertChunksPresent(planFor(demo, target), openStore({ kind: 'directory', path: demo.store })),
    ).resolves.toBeUndefined();
  });

  test.each([
    [
      'a flipped bit',
      (bytes: Buffer) => void bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1),
    ],
    ['other content', (bytes: Buffer) => void bytes.fill(0)],
  ])(
    '%s stops the restore with the chunk named and set aside; with a good copy it resumes',
    async (_, damage) => {
      const store = copyOfStore('store-flipped');
      const chunk = chunkAt(readIndex(demo.indexFile), aSystemChunk());
      const file = path.join(store, 'chunks.castr', chunkPath(chunk.id));
      const bytes = fs.readFileSync(file);
      damage(bytes);
      fs.writeFileSync(file, bytes);
      const target = makeBlankDisk(targetFile('flipped.img'));
      const error = await restoreTo(target, store).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(RekindleError);
      expect(error).toMatchObject({ code: 'verification-failed' });
      expect(formatError(error)).toContain(chunk.id);
      expect(fs.existsSync(`${file}.bad`)).toBe(true);
      expect(fs.existsSync(file)).toBe(false);
      expect(readTargetDisk(target, false).table.kind).toBe('none');

      fs.copyFileSync(path.join(demo.store, 'chunks.castr', chunkPath(chunk.id)), file);
      await restoreTo(target, store);
      expect(sha256OfFile(target)).toBe(sha256OfFile(demo.expected));
      fs.rmSync(store, { recursive: true });
    },
  );
});

test('an interrupt stops soon, leaves no table, and the next start ends bit-identical', async () => {
  const target = makeBlankDisk(targetFile('interrupted.img'));
  const controller = new AbortController();
  const error = await restoreDisk({
    plan: planFor(demo, target),
    path: target,
    source: { kind: 'directory', path: demo.store },
    workers: 1,
    signal: AbortSignal.any([controller.signal, AbortSignal.timeout(60)]),
  }).catch((caught: unknown) => caught);
  if (error instanceof RekindleError) {
    expect(error.code).toBe('interrupted');
    expect(readTargetDisk(target, false).table.kind).toBe('none');
  }
  await restoreTo(target);
  expect(sha256OfFile(target)).toBe(sha256OfFile(demo.expected));
});
