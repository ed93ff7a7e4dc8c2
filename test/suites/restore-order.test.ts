import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noteBytes, noteOffset } from '#runtime/restore/interrupted-restore.ts';
import { traceDisk } from '#test/support/disk-trace.ts';
import { attachLoop } from '#test/support/loop-device.ts';
import {
  type CapturedDemo,
  captureDemoDisk,
  demoDisk,
  makeBlankDisk,
  makeTemporaryFolder,
  noise,
  planFor,
  sha256OfFile,
  writeAt,
} from '#test/support/restore-demo-disk.ts';

/** The order of a restore, as the kernel saw it: first blocks cleared first and written last, read back past the cache. */

let folder: ReturnType<typeof makeTemporaryFolder>;
let demo: CapturedDemo;
beforeAll(async () => {
  folder = makeTemporaryFolder();
  demo = await captureDemoDisk(folder.path);
});
afterAll(() => folder[Symbol.dispose]());

test('note, table cleared, chunks, flush, read back, backup GPT, entries, LBA 0 and 1, the note last', () => {
  const file = makeBlankDisk(path.join(folder.path, 'target.img'));
  writeAt(file, noise('old table', 100_000), 0);
  using loop = attachLoop(file);
  const plan = planFor(demo, loop.path);
  const headEnd = plan.restored[0]?.sizeBytes ?? 0;
  const tailStart = demoDisk.sizeBytes - 33 * 512;
  const diskFile = path.join(folder.path, 'disk.json');
  fs.writeFileSync(diskFile, JSON.stringify(demo.disk));
  const child = path.join(import.meta.dirname, '../support/restore-child.ts');
  const calls = traceDisk(loop.path, path.join(folder.path, 'trace'), [
    process.execPath,
    child,
    diskFile,
    demo.indexFile,
    demo.store,
    loop.path,
  ]);
  expect(sha256OfFile(file)).toBe(sha256OfFile(demo.expected));

  const changes = calls.map((each, at) => ({ ...each, at })).filter(({ call }) => call !== 'pread64');
  const writes = changes.filter(({ call }) => call === 'pwrite64');
  const isChunk = ({ startByte, sizeBytes }: (typeof writes)[number]) =>
    startByte >= headEnd && startByte + sizeBytes <= tailStart;
  const chunks = writes.filter(isChunk);
  const firstChunk = writes.findIndex(isChunk);
  const lastChunk = writes.findLastIndex(isChunk);
  const brief = (list: typeof writes) => list.map(({ startByte, sizeBytes }) => [startByte, sizeBytes]);

  // Before any chunk: the note, then the rest of the first blocks, then the end of the disk; all flushed.
  const before = brief(writes.slice(0, firstChunk));
  expect(before[0]).toEqual([noteOffset, noteBytes]);
  expect(before[1]).toEqual([0, noteOffset]);
  expect(before[2]).toEqual([noteOffset + noteBytes, headEnd - noteOffset - noteBytes]);
  expect(before.slice(3).every(([startByte = 0]) => startByte >= tailStart - 512 * 1024 * 20)).toBe(true);
  expect(changes.slice(0, 5).map(({ call }) => call)).toEqual([
    'pwrite64',
    'fsync',
    'pwrite64',
    'pwrite64',
    'fsync',
  ]);
  const chunkAt = changes.findIndex(({ at }) => at === chunks[0]?.at);
  expect(changes[chunkAt - 1]?.call).toBe('fsync');

  // After the last chunk: a flush, then every chunk read again past the cache, and only then the first blocks.
  expect(lastChunk - firstChunk + 1).toBe(chunks.length);
  expect(chunks.length).toBeGreaterThan(10);
  const last = chunks.at(-1)?.at ?? 0;
  const flushed = changes.find(({ call, at }) => call === 'fsync' && at > last)?.at ?? Number.NaN;
  const finishing = writes[lastChunk + 1]?.at ?? Number.NaN;
  expect(flushed).toBeLessThan(finishing);
  const readBack = calls.slice(flushed, finishing).filter(({ call }) => call === 'pread64');
  expect(readBack.every(({ direct }) => direct)).toBe(true);
  const readStarts = new Set(readBack.map(({ startByte }) => startByte));
  expect(chunks.filter(({ startByte }) => !readStarts.has(startByte))).toEqual([]);

  // The end: LBA 0 and 1, then what lay under the note, each flushed alone; then all of it read back, and no write.
  expect(brief(writes.slice(-2))).toEqual([
    [0, 1024],
    [noteOffset, noteBytes],
  ]);
  expect(changes.slice(-4).map(({ call }) => call)).toEqual(['pwrite64', 'fsync', 'pwrite64', 'fsync']);
  const end = calls.slice((changes.at(-1)?.at ?? 0) + 1);
  expect(end.some(({ call, startByte, direct }) => call === 'pread64' && startByte === 0 && direct)).toBe(
    true,
  );
});
