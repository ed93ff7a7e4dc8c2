import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { type ChunkId, chunkPath } from '#images/format/chunk-id.ts';
import { formatDiskIndex, newDiskIndex } from '#images/format/disk-index.ts';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { signBytes } from '#images/format/minisign.ts';
import { announceCapture, beginAnnouncement } from '#images/stores/announcement.ts';
import type { ChunkSource, ChunkStore, StoreRef } from '#images/stores/chunk-store.ts';
import { openStore, openStoreForWriting } from '#images/stores/open-store.ts';
import { publishImage } from '#images/stores/publish-image.ts';
import { openJob } from '#pxe-server/jobs/job-store.ts';
import { mintToken } from '#pxe-server/jobs/token.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { startApiService } from '#test/support/api-on-loopback.ts';
import { serveFolder } from '#test/support/images-folder-server.ts';
import { makeTemporaryFolder, run } from '#test/support/restore-demo-disk.ts';
import { smallImageOf } from '#test/support/small-image.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** A store of each kind that there is, with the folder behind it. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly folder: string;
  readonly reader: ChunkSource;
  /** Undefined: this kind only reads, and a chunk is put into the folder by hand. */
  readonly writer: ChunkStore | undefined;
  /** Of the service. */
  readonly ca?: string;
}

export const storeKinds = [
  'directory',
  'directory on another mount',
  'http',
  'http without missing',
  'http served by rekindle',
  'http by a plain web server',
] as const;
export type StoreKind = (typeof storeKinds)[number];

/** @param chunks that the tests ask for: a token of the service reads those of its image only */
export async function startStore(kind: StoreKind, chunks: readonly ChunkId[]): Promise<StoreUnderTest> {
  await using stack = new AsyncDisposableStack();
  const temporary = stack.use(makeTemporaryFolder());
  const opened = await startKind(kind, temporary.path, chunks, stack);
  stack.defer(() => opened.reader.close());
  stack.defer(() => opened.writer?.close());
  const kept = stack.move();
  return { ...opened, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

type Opened = Omit<StoreUnderTest, typeof Symbol.asyncDispose>;

async function startKind(
  kind: StoreKind,
  folder: string,
  chunks: readonly ChunkId[],
  stack: AsyncDisposableStack,
): Promise<Opened> {
  switch (kind) {
    case 'directory':
      return openFolder(folder, stack);
    case 'directory on another mount':
      return openFolder(stack.use(mountSmallDisk(folder, 24)).path, stack);
    case 'http':
    case 'http without missing': {
      const server = await serveFolder(folder, kind === 'http');
      stack.defer(() => server.close());
      const ref = { kind: 'http', url: `${server.url}/`, token: 'job-token' } as const;
      return { folder, reader: openStore(ref), writer: openStoreForWriting(ref) };
    }
    case 'http served by rekindle':
      return serveByRekindle(chunks, stack);
    case 'http by a plain web server': {
      const { url } = stack.use(await startPlainWebServer(folder));
      return { folder, reader: openStore({ kind: 'http', url }), writer: undefined };
    }
  }
}

async function openFolder(folder: string, stack: AsyncDisposableStack): Promise<Opened> {
  const announcement = stack.use(await announceCapture(folder));
  return {
    folder,
    reader: openStore({ kind: 'directory', path: folder }),
    writer: openStoreForWriting(announcement.store),
  };
}

/** A file system of its own, so small that it can be filled. */
export function mountSmallDisk(folder: string, mebibytes: number): Disposable & { readonly path: string } {
  const file = path.join(folder, 'small-disk.img');
  const mountPoint = path.join(folder, 'small-disk');
  fs.mkdirSync(mountPoint);
  fs.closeSync(fs.openSync(file, 'w'));
  fs.truncateSync(file, mebibytes << 20);
  run('mkfs.ext4', '-q', '-F', '-m', '0', file);
  run('mount', '-o', 'loop', file, mountPoint);
  return { path: mountPoint, [Symbol.dispose]: () => void run('umount', mountPoint) };
}

/** The service itself over TLS: a capture job to write with, a restore job of an image of these chunks to read. */
async function serveByRekindle(chunks: readonly ChunkId[], stack: AsyncDisposableStack): Promise<Opened> {
  const service = stack.use(await startApiService());
  const { context, ca, port } = service;
  const passport = somePassport();
  const station = stationNameSchema.parse('OS-SRV-1A');
  addStation(context.state, { name: station, passport, by: 'test' });
  const utc = '20261120T020000Z';
  const ends = Float64Array.from(chunks, (_, number) => (number + 1) * 1000);
  const index = newDiskIndex(ends, 1 << 20);
  chunks.forEach((id, number) => {
    index.ids.set(Buffer.from(id, 'hex'), number * 32);
  });
  const image = smallImageOf(station, passport, Buffer.from(formatDiskIndex(index)), chunks.length * 1000);
  const name = { station, utc };
  await using announcement = await announceCapture(context.store);
  const signature = signBytes(image.manifestBytes, context.signingKey, 'test');
  await publishImage(context.store, name, { ...image, signature }, announcement.id);

  const refFor = async (kind: 'restore' | 'capture'): Promise<StoreRef & { kind: 'http' }> => {
    const imageName = kind === 'restore' ? `${station}_${utc}` : `${station}_20261121T020000Z`;
    const asked = {
      station,
      imageName,
      manifestSha256: null,
      how: 'technician',
      technician: 'erika',
    } as const;
    const job = openJob(context.state, { kind, ...asked, machine: 'test' });
    if (kind === 'capture') await beginAnnouncement(context.store, job);
    const token = mintToken(context.state, {
      kind: kind === 'restore' ? 'job' : 'capture',
      technician: 'erika',
      how: 'technician',
      station,
      job,
      expiresAt: Date.now() + 600_000,
    });
    const tls = { ca, serverName: 'rekindle' };
    return { kind: 'http', url: `https://127.0.0.1:${port}/api/v1/store`, token, tls };
  };
  const [reading, writing] = [await refFor('restore'), await refFor('capture')];
  return { folder: context.store, reader: openStore(reading), writer: openStoreForWriting(writing), ca };
}

/** busybox's web server: knows nothing of us, shows no listings, writes nothing. */
export async function startPlainWebServer(
  folder: string,
): Promise<AsyncDisposable & { readonly url: string }> {
  const port = await unusedPort();
  const args = ['httpd', '-f', '-p', `127.0.0.1:${port}`, '-h', folder];
  const server: ChildProcess = spawn('busybox', args, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries === 100) throw new Error('busybox httpd (Debian package busybox-static) does not answer');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.kill();
      await ended;
    },
  };
}

async function unusedPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export const chunkFileIn = (folder: string, id: ChunkId): string =>
  path.join(folder, 'chunks.castr', chunkPath(id));

/** Also where the store cannot be written through its own interface. */
export function writeChunkFile(folder: string, id: ChunkId, bytes: Uint8Array): void {
  fs.mkdirSync(path.dirname(chunkFileIn(folder, id)), { recursive: true });
  fs.writeFileSync(chunkFileIn(folder, id), bytes);
}
