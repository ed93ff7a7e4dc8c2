import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chunkPath } from '#images/format/chunk-id.ts';
import {
  chunkAt,
  chunkCount,
  distinctChunkIds,
  formatDiskIndex,
  parseDiskIndex,
} from '#images/format/disk-index.ts';
import { packChunk } from '#images/stores/chunk-file.ts';
import { openStore } from '#images/stores/open-store.ts';
import { restoreDisk } from '#runtime/restore/restore-disk.ts';
import {
  type CapturedDemo,
  captureDemoDisk,
  makeBlankDisk,
  makeTemporaryFolder,
  planFor,
  readIndex,
  run,
  sha256OfFile,
  toImageDisk,
} from '#test/support/restore-demo-disk.ts';

/** Debian's casync and we read each other's indexes and stores, and say by name what we do not read. */

let folder: ReturnType<typeof makeTemporaryFolder>;
let demo: CapturedDemo;
const inFolder = (name: string): string => path.join(folder.path, name);

beforeAll(async () => {
  folder = makeTemporaryFolder();
  demo = await captureDemoDisk(folder.path);
});
afterAll(() => folder[Symbol.dispose]());

interface Made {
  readonly store: string;
  readonly indexFile: string;
}

function casyncMake(name: string, ...options: string[]): Made {
  const store = inFolder(name);
  fs.mkdirSync(store, { recursive: true });
  const indexFile = path.join(store, 'disk.caibx');
  run('casync', 'make', ...options, `--store=${path.join(store, 'chunks.castr')}`, indexFile, demo.station);
  return { store, indexFile };
}

async function restore({ store, indexFile }: Made): Promise<string> {
  const target = makeBlankDisk(inFolder('from-casync.img'));
  const plan = planFor({ disk: toImageDisk(demo.captured), indexFile }, target);
  await restoreDisk({ plan, path: target, source: { kind: 'directory', path: store } });
  return sha256OfFile(target);
}

describe('what casync made, we restore', () => {
  test.each([
    ['fixed chunks of 1 MiB, SHA-256', ['--digest=sha256', '--chunk-size=1048576:1048576:1048576']],
    ['its own chunk sizes, SHA-512/256', []],
    ['its own chunk sizes, SHA-256', ['--digest=sha256']],
    ['small variable chunks, SHA-256', ['--digest=sha256', '--chunk-size=4096:16384:65536']],
    ['large variable chunks, SHA-512/256', ['--chunk-size=524288:2097152:8388608']],
    ['one size for all three, no power of two', ['--chunk-size=300000:300000:300000']],
  ])('%s', async (name, options) => {
    const made = casyncMake(name.replaceAll(/\W/g, '-'), ...options);
    const index = readIndex(made.indexFile);
    expect(index.digest).toBe(name.includes('SHA-256') ? 'sha256' : 'sha512-256');
    expect(Buffer.from(formatDiskIndex(index)).equals(fs.readFileSync(made.indexFile))).toBe(true);
    expect(await restore(made)).toBe(sha256OfFile(demo.station));
  });
});

describe('what we captured, casync reads', () => {
  test('extracts it: the same bytes that our own restore writes', async () => {
    const target = makeBlankDisk(inFolder('by-us.img'));
    const plan = planFor(demo, target);
    await restoreDisk({ plan, path: target, source: { kind: 'directory', path: demo.store } });
    expect(sha256OfFile(target)).toBe(sha256OfFile(demo.expected));
  });

  test('leaves the store as we made it: every chunk of the index, and no other', () => {
    const ids = distinctChunkIds(readIndex(demo.indexFile));
    const found = fs
      .readdirSync(path.join(demo.store, 'chunks.castr'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.cacnk'));
    expect(new Set(found)).toEqual(new Set([...ids].map(chunkPath)));
  });
});

describe('what we do not read is refused with its name', () => {
  let made: Made;
  const firstChunk = () => chunkAt(readIndex(made.indexFile), 0);
  const chunkFile = () => path.join(made.store, 'chunks.castr', chunkPath(firstChunk().id));
  beforeAll(() => {
    made = casyncMake('to-harm', '--digest=sha256');
  });

  test.each(['xz', 'gzip'])(
    'a store that is packed with %s; nothing of it is set aside',
    async (compression) => {
      const foreign = casyncMake(`packed-${compression}`, `--compression=${compression}`, '--digest=sha256');
      await expect(restore(foreign)).rejects.toMatchObject({
        code: 'usage',
        message: expect.stringContaining(`packed with ${compression}`),
      });
      const names = fs.readdirSync(foreign.store, { recursive: true, encoding: 'utf8' });
      expect(names.filter((name) => name.endsWith('.bad'))).toEqual([]);
    },
  );

  test('chunks without compression', async () => {
    const { id } = firstChunk();
    const kept = fs.readFileSync(chunkFile());
    fs.rmSync(chunkFile());
    const plain = path.join(made.store, 'chunks.castr', id.slice(0, 4), id);
    fs.writeFileSync(plain, 'plain bytes');
    const source = openStore({ kind: 'directory', path: made.store });
    await expect(source.get(id)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('stored without compression'),
    });
    fs.rmSync(plain);
    fs.writeFileSync(chunkFile(), kept);
  });

  test.each([
    ['a chunk that is shorter than its id says', (plain: Uint8Array) => plain.subarray(1)],
    ['a chunk that is longer', (plain: Uint8Array) => Buffer.concat([plain, Buffer.alloc(4096)])],
    ['an empty chunk', () => Buffer.alloc(0)],
  ])('%s', async (_, change) => {
    const { id } = firstChunk();
    const kept = fs.readFileSync(chunkFile());
    const source = openStore({ kind: 'directory', path: made.store });
    fs.writeFileSync(chunkFile(), packChunk(change(await source.get(id))));
    await expect(source.get(id)).rejects.toMatchObject({
      code: 'verification-failed',
      message: expect.stringContaining(id),
    });
    fs.writeFileSync(chunkFile(), kept);
  });

  test('an index whose chunk has another size than it says: nothing is taken for restored', async () => {
    const bytes = Buffer.from(fs.readFileSync(made.indexFile));
    bytes.writeBigUInt64LE(1n << 20n, 40);
    // The first two chunks meet 512 bytes earlier than they do.
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(64) - 512n, 64);
    const indexFile = inFolder('shifted.caibx');
    fs.writeFileSync(indexFile, bytes);
    expect(chunkCount(parseDiskIndex(bytes, 'shifted'))).toBeGreaterThan(2);
    await expect(restore({ store: made.store, indexFile })).rejects.toMatchObject({
      code: 'verification-failed',
      message: expect.stringContaining(firstChunk().id),
    });
  });
});
