import fs from 'node:fs';
import net from 'node:net';
import { isMainThread } from 'node:worker_threads';
import { RekindleError } from '#base/errors.ts';
import { createByteReader } from './byte-reader.ts';
import type { ExportDevice } from './export-device.ts';
import { shakeHands } from './nbd-handshake.ts';
import { answerRequests } from './nbd-transmission.ts';

/** Serves one disk, read-only, on a unix socket that only this user may open. */
export interface NbdServer extends AsyncDisposable {
  readonly socket: string;
  /** As libnbd and QEMU want it. */
  readonly uri: string;
}

export interface NbdServerOptions {
  /** A client that broke the protocol: its connection is cut, the others go on. */
  readonly onProtocolError?: (sentence: string) => void;
}

/** Path of a unix socket, with its final zero byte (unix(7)). */
const pathLimit = 107;

/** @throws RekindleError `usage`: something is at that path, or it cannot be made there */
export async function serveNbd(
  device: ExportDevice,
  socketPath: string,
  { onProtocolError = () => {} }: NbdServerOptions = {},
): Promise<NbdServer> {
  if (Buffer.byteLength(socketPath) > pathLimit)
    throw new RekindleError('usage', `Opening the socket ${socketPath}: its path is too long`, {
      next: `Choose a path of at most ${pathLimit} bytes.`,
    });
  const clients = new Set<net.Socket>();
  const server = net.createServer((client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
    // A client that goes away in the middle is no error of ours; its reads end with it.
    client.on('error', () => {});
    serveClient(client, device)
      .then((problem) => {
        if (problem !== undefined) onProtocolError(`An NBD client was disconnected: ${problem}.`);
      })
      .catch(() => {})
      .finally(() => client.destroySoon());
  });
  // A worker thread has no mask of its own; its socket lies in a folder that only this user may enter.
  const mask = isMainThread ? process.umask(0o077) : undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketPath, resolve);
    });
  } catch (cause) {
    throw new RekindleError('usage', `Opening the socket ${socketPath}`, {
      cause,
      next: 'Choose another path; a socket that a killed process left behind can be removed.',
    });
  } finally {
    if (mask !== undefined) process.umask(mask);
  }
  return {
    socket: socketPath,
    uri: `nbd+unix:///?socket=${encodeURIComponent(socketPath).replaceAll('%2F', '/')}`,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await new Promise((resolve) => server.close(resolve));
      fs.rmSync(socketPath, { force: true });
    },
  };
}

/** What the client did wrong, if it did. */
async function serveClient(client: net.Socket, device: ExportDevice): Promise<string | undefined> {
  const reader = createByteReader(client);
  const write = (bytes: Uint8Array): void => {
    if (!client.destroyed) client.write(bytes);
  };
  const result = await shakeHands(reader, write, device);
  if (result.kind === 'ended') return result.reason;
  let draining: Promise<void> | undefined;
  const drained = (): Promise<void> => {
    if (!client.writableNeedDrain || client.destroyed) return Promise.resolve();
    draining ??= new Promise((resolve) => {
      const done = (): void => {
        client.off('drain', done).off('close', done);
        draining = undefined;
        resolve();
      };
      client.on('drain', done).on('close', done);
    });
    return draining;
  };
  return answerRequests(reader, { write, drained }, device, result.agreement);
}
