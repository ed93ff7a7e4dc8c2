import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { parseImageName } from '#images/format/image-name.ts';
import { packChunk } from '#images/stores/chunk-file.ts';
import { imageFolder, readImageFile } from '#images/stores/image-files.ts';
import { openStore } from '#images/stores/open-store.ts';
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

test('a chunk on a bad sector is a bad chunk; one of a share that is away is not', async () => {
  using folder = makeTemporaryFolder();
  const plain = Buffer.alloc(5000, 7);
  const id = chunkIdOf(plain);
  writeChunkFile(folder.path, id, packChunk(plain));
  await using stack = new AsyncDisposableStack();
  const source = stack.adopt(openStore({ kind: 'directory', path: folder.path }), (each) => each.close());
  onTestFinished(() => void vi.restoreAllMocks());
  const readSync = vi.spyOn(fs, 'readSync');
  const failWith = (code: string) =>
    readSync.mockImplementationOnce(() => {
      throw withCode(code);
    });
  failWith('EIO');
  await expect(source.get(id)).rejects.toMatchObject({
    code: 'verification-failed',
    details: { chunk: id },
    cause: { code: 'EIO' },
  });
  failWith('ESTALE');
  await expect(source.get(id)).rejects.toMatchObject({ code: 'store-unreachable' });
  failWith('EIO');
  vi.spyOn(fs, 'readdirSync').mockImplementationOnce(() => {
    throw withCode('EIO');
  });
  await expect(source.get(id)).rejects.toMatchObject({ code: 'store-unreachable' });
  expect(fs.existsSync(chunkFileIn(folder.path, id))).toBe(true);
  expect(plain.equals(await source.get(id))).toBe(true);
});
