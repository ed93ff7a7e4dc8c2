import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { parseImageName } from '#images/format/image-name.ts';
import { announceCapture } from '#images/stores/announcement.ts';
import { checkChunks } from '#images/stores/check-chunks.ts';
import { packChunk } from '#images/stores/chunk-file.ts';
import { imageFolder, readImageFile } from '#images/stores/image-files.ts';
import { openStore, openStoreForWriting } from '#images/stores/open-store.ts';
import { mayBeFileFault } from '#images/stores/read-fault.ts';
import { chunkFileIn, writeChunkFile } from '#test/support/every-store.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';

const withCode = (code: string): Error => Object.assign(new Error(`${code}: as a read says it`), { code });

test.each(['ETIMEDOUT', 'ESTALE', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENOTCONN', 'EACCES', 'EPERM', 'ECONNRESET'])(
  '%s says nothing about a file',
  (code) => expect(mayBeFileFault(withCode(code))).toBe(false),
);

test('a file of an image that cannot be read is damaged while the store answers, and only then', async () => {
  using folder = makeTemporaryFolder();
  const store = path.join(folder.path, 'store');
  const name = parseImageName('A_20261120T020000Z');
  if (name === null) throw new Error('a name');
  fs.mkdirSync(imageFolder(store, name), { recursive: true });
  // The kernel answers every read at its start with EIO.
  fs.symlinkSync('/proc/self/mem', path.join(imageFolder(store, name), 'manifest.json'));
  const read = () => readImageFile(store, name, 'manifest.json', 1000);
  await expect(read()).rejects.toMatchObject({ code: 'verification-failed', cause: { code: 'EIO' } });
  fs.rmSync(store, { recursive: true });
  await expect(read()).rejects.toMatchObject({ code: 'store-unreachable' });
});

const oneChunk = () => {
  const folder = makeTemporaryFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  const plain = Buffer.alloc(5000, 7);
  const id = chunkIdOf(plain);
  writeChunkFile(folder.path, id, packChunk(plain));
  const file = chunkFileIn(folder.path, id);
  return { store: folder.path, plain, id, file };
};

test('a chunk on a bad sector is a bad chunk, set aside, and the next capture stores it anew', async () => {
  const { store, plain, id, file } = oneChunk();
  onTestFinished(() => void vi.restoreAllMocks());
  const eio = (): never => {
    throw withCode('EIO');
  };
  vi.spyOn(fs, 'readSync').mockImplementationOnce(eio).mockImplementationOnce(eio);
  await using stack = new AsyncDisposableStack();
  const source = stack.adopt(openStore({ kind: 'directory', path: store }), (each) => each.close());
  await expect(source.get(id)).rejects.toMatchObject({
    code: 'verification-failed',
    details: { chunk: id },
    cause: { code: 'EIO' },
  });
  expect(fs.existsSync(file)).toBe(false);
  // What the sectors hold is gone.
  fs.truncateSync(`${file}.bad`, 10);
  const announcement = stack.use(await announceCapture(store));
  const into = stack.adopt(openStoreForWriting(announcement.store), (each) => each.close());
  expect(await into.need([id])).toEqual([id]);
  await into.put(id, packChunk(plain));
  expect(plain.equals(await source.get(id))).toBe(true);
});

test('what a service finds bad before it signs is set aside too: the next capture is not refused for it again', async () => {
  const unreadable = oneChunk();
  // The kernel answers every read at its start with EIO.
  fs.rmSync(unreadable.file);
  fs.symlinkSync('/proc/self/mem', unreadable.file);
  expect(await checkChunks(unreadable.store, [unreadable.id])).toEqual([expect.stringContaining('EIO')]);
  expect(fs.existsSync(unreadable.file)).toBe(false);
  const damaged = oneChunk();
  fs.writeFileSync(damaged.file, packChunk(Buffer.from('another content')));
  expect(await checkChunks(damaged.store, [damaged.id])).toEqual([expect.stringContaining('damaged')]);
  expect(fs.existsSync(damaged.file)).toBe(false);
});

test('a chunk that was set aside and can be read again gets its name again, when it is right', async () => {
  const { store, plain, id, file } = oneChunk();
  const source = openStore({ kind: 'directory', path: store });
  onTestFinished(() => source.close());
  fs.renameSync(file, `${file}.bad`);
  expect(await source.missing([id])).toEqual([]);
  fs.renameSync(file, `${file}.bad`);
  expect(plain.equals(await source.get(id))).toBe(true);
  fs.rmSync(file);
  fs.writeFileSync(`${file}.bad`, packChunk(Buffer.from('another content')));
  expect(await source.missing([id])).toEqual([id]);
  await expect(source.get(id)).rejects.toMatchObject({ code: 'not-found' });
});

test('a chunk of a share that is away for a moment, or for longer, is no bad chunk', async () => {
  const { store, plain, id, file } = oneChunk();
  const source = openStore({ kind: 'directory', path: store });
  onTestFinished(() => source.close());
  onTestFinished(() => void vi.restoreAllMocks());
  const readSync = vi.spyOn(fs, 'readSync');
  const failWith = (code: string) =>
    readSync.mockImplementationOnce(() => {
      throw withCode(code);
    });
  failWith('EIO');
  expect(plain.equals(await source.get(id))).toBe(true);
  failWith('ESTALE');
  await expect(source.get(id)).rejects.toMatchObject({ code: 'store-unreachable' });
  failWith('EIO');
  vi.spyOn(fs, 'readdirSync').mockImplementationOnce(() => {
    throw withCode('EIO');
  });
  await expect(source.get(id)).rejects.toMatchObject({ code: 'store-unreachable' });
  expect(fs.existsSync(file)).toBe(true);
  expect(plain.equals(await source.get(id))).toBe(true);
});
