import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type ChunkId, chunkIdOf } from '#images/format/chunk-id.ts';
import { packChunk } from '#images/stores/chunk-file.ts';
import { condemnedName } from '#images/stores/condemned-chunk.ts';
import {
  chunkFileIn,
  mountSmallDisk,
  startStore,
  storeKinds,
  writeChunkFile,
} from '#test/support/every-store.ts';
import { noise } from '#test/support/restore-demo-disk.ts';

/** What every store must do, and how it fails. */

const plain = noise('chunk', 300_000);
const id = chunkIdOf(plain);
const absent = chunkIdOf(Buffer.from('absent'));

describe.each(storeKinds)('every store: %s', (kind) => {
  const start = () => startStore(kind, [id, absent]);

  test('gives back what was put, and says what it lacks', async () => {
    await using store = await start();
    const { folder, reader, writer } = store;
    expect(await reader.missing([id, absent])).toEqual([id, absent]);
    if (writer === undefined) writeChunkFile(folder, id, packChunk(plain));
    else {
      expect(await writer.need([id])).toEqual([id]);
      await writer.put(id, packChunk(plain));
      expect(await writer.need([id, absent])).toEqual([absent]);
    }
    expect(await reader.missing([id, absent])).toEqual([absent]);
    expect(await reader.missing([])).toEqual([]);
    expect(Buffer.from(await reader.get(id)).equals(plain)).toBe(true);
    const { chunkFile, plainBytes } = await reader.getChunkFile(id);
    expect(plainBytes).toBe(plain.length);
    expect(Buffer.from(chunkFile).equals(packChunk(plain))).toBe(true);
    await writer?.put(id, packChunk(plain));
    expect(fs.readdirSync(path.dirname(chunkFileIn(folder, id)))).toEqual([`${id}.cacnk`]);
  });

  test('several chunks asked for at once come back right, into memory of the caller and without', async () => {
    const plains = Array.from({ length: 8 }, (_, n) => noise(`chunk ${n}`, 200_000 + n));
    const ids = plains.map((each) => chunkIdOf(each));
    await using store = await startStore(kind, ids);
    for (const [n, each] of ids.entries()) writeChunkFile(store.folder, each, packChunk(plains[n] ?? plain));
    for (const memory of [undefined, 1 << 20]) {
      const got = await Promise.all(
        ids.map((each) => store.reader.get(each, memory === undefined ? undefined : new Uint8Array(memory))),
      );
      expect(got.map((each) => chunkIdOf(each))).toEqual(ids);
    }
    const files = await Promise.all(ids.map((each) => store.reader.getChunkFile(each)));
    expect(files.map(({ plainBytes }) => plainBytes)).toEqual(plains.map(({ length }) => length));
  });

  test('answers about thousands of chunks at once', async () => {
    const byHead = kind === 'http without missing' || kind === 'http by a plain web server';
    const ids = Array.from({ length: byHead ? 1500 : 20_000 }, (_, n) =>
      chunkIdOf(Buffer.from(`chunk ${n}`)),
    );
    const there = ids.filter((_, n) => n % 1000 === 7);
    await using store = await startStore(kind, ids);
    for (const each of there) writeChunkFile(store.folder, each, Buffer.alloc(0));
    expect(await store.reader.missing(ids)).toEqual(ids.filter((each) => !there.includes(each)));
  });

  test('gives each of many readers at once its own chunk', async () => {
    const many = Array.from({ length: 12 }, (_, n) => noise(`many ${n}`, 50_000 + n * 1000));
    await using store = await startStore(
      kind,
      many.map((each) => chunkIdOf(each)),
    );
    for (const each of many) writeChunkFile(store.folder, chunkIdOf(each), packChunk(each));
    const plains = await Promise.all(many.map((each) => store.reader.get(chunkIdOf(each))));
    plains.forEach((each, n) => {
      expect(Buffer.from(each).equals(many[n] ?? Buffer.alloc(0))).toBe(true);
    });
    const files = await Promise.all(many.map((each) => store.reader.getChunkFile(chunkIdOf(each))));
    files.forEach(({ chunkFile }, n) => {
      expect(Buffer.from(chunkFile).equals(packChunk(many[n] ?? Buffer.alloc(0)))).toBe(true);
    });
  });

  test('names a chunk that it does not hold', async () => {
    await using store = await start();
    await expect(store.reader.get(absent)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining(absent),
    });
  });

  test('refuses every damage to a chunk, and names it', async () => {
    await using store = await start();
    const { folder, reader } = store;
    const file = chunkFileIn(folder, id);
    const good = packChunk(plain);
    const flipped = Buffer.from(good);
    flipped.writeUInt8(flipped.readUInt8(5000) ^ 4, 5000);
    const damages = [
      good.subarray(0, -1),
      good.subarray(0, 100),
      Buffer.alloc(0),
      flipped,
      packChunk(plain.subarray(1)),
    ];
    for (const damaged of damages) {
      writeChunkFile(folder, id, damaged);
      await expect(reader.get(id)).rejects.toMatchObject({
        code: 'verification-failed',
        message: expect.stringContaining(id),
      });
      if (!kind.startsWith('directory')) continue;
      expect(fs.existsSync(file)).toBe(false);
      expect(fs.readFileSync(`${file}.bad`).equals(damaged)).toBe(true);
    }
  });

  test('says which compression it does not read, and leaves such a chunk where it is', async () => {
    await using store = await start();
    const file = chunkFileIn(store.folder, id);
    for (const [name, bytes] of [
      ['gzip', gzipSync(plain)],
      ['xz', execFileSync('xz', ['--stdout'], { input: plain, maxBuffer: 1 << 20 })],
    ] as const) {
      writeChunkFile(store.folder, id, bytes);
      await expect(store.reader.get(id)).rejects.toMatchObject({
        code: 'usage',
        message: expect.stringContaining(`packed with ${name}`),
      });
      expect(fs.readFileSync(file).equals(bytes)).toBe(true);
    }
  });

  test('has a chunk that gc has condemned, for as long as it is there', async () => {
    if (kind !== 'directory' && kind !== 'http served by rekindle') return;
    await using store = await start();
    const { folder, reader, writer } = store;
    const condemn = () =>
      fs.renameSync(chunkFileIn(folder, id), condemnedName(chunkFileIn(folder, id), 'a-run'));
    writeChunkFile(folder, id, packChunk(plain));
    condemn();
    expect(Buffer.from(await reader.get(id)).equals(plain)).toBe(true);
    condemn();
    expect(await reader.missing([id])).toEqual([]);
    condemn();
    expect(await writer?.need([id])).toEqual([]);
    expect(fs.readdirSync(path.dirname(chunkFileIn(folder, id)))).toEqual([`${id}.cacnk`]);
  });
});

describe('a store that becomes full', () => {
  test('a folder: says so, keeps what is whole, and goes on when there is space', async () => {
    await using store = await startStore('directory on another mount', []);
    const { folder, writer, reader } = store;
    const stored: ChunkId[] = [];
    const fill = async (): Promise<never> => {
      for (let n = 0; ; n++) {
        const bytes = noise(`filling ${n}`, 1 << 20);
        await writer?.need([chunkIdOf(bytes)]);
        await writer?.put(chunkIdOf(bytes), packChunk(bytes));
        stored.push(chunkIdOf(bytes));
      }
    };
    await expect(fill()).rejects.toMatchObject({
      code: 'store-unreachable',
      next: expect.stringContaining('Free some space'),
    });
    expect(stored.length).toBeGreaterThan(5);
    for (const each of stored) expect((await reader.get(each)).length).toBe(1 << 20);
    const names = fs.readdirSync(path.join(folder, 'chunks.castr'), { recursive: true, encoding: 'utf8' });
    expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([]);
    for (const each of stored.slice(0, 2)) fs.rmSync(chunkFileIn(folder, each));
    await writer?.put(id, packChunk(plain));
    expect(Buffer.from(await reader.get(id)).equals(plain)).toBe(true);
  });

  test('the service: an answer that says so, at once and not after a minute of asking again', async () => {
    await using store = await startStore('http served by rekindle', [id]);
    const { folder, writer } = store;
    using small = mountSmallDisk(path.dirname(folder), 2);
    fs.rmSync(path.join(folder, 'chunks.castr'), { recursive: true });
    fs.symlinkSync(small.path, path.join(folder, 'chunks.castr'));
    const bytes = noise('more than there is space for', 3 << 20);
    const startedAt = performance.now();
    await expect(writer?.put(chunkIdOf(bytes), packChunk(bytes))).rejects.toMatchObject({
      code: 'store-unreachable',
      next: expect.stringContaining('Free some space'),
    });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});
