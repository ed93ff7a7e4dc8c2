import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

export interface StallingStore extends Disposable {
  readonly url: string;
  /** Half of that file was sent. */
  readonly stalled: Promise<void>;
}

/** A store folder behind a URL; in the middle of one file it stops, and never goes on. */
export async function serveStallingStore(store: string, stallsAt: string): Promise<StallingStore> {
  const { promise: stalled, resolve } = Promise.withResolvers<void>();
  const server = http.createServer((request, reply) => {
    const name = decodeURIComponent(request.url ?? '');
    const file = path.join(store, name);
    if (request.method !== 'GET' && request.method !== 'HEAD') return void reply.writeHead(405).end();
    if (!fs.existsSync(file)) return void reply.writeHead(404).end();
    const bytes = fs.readFileSync(file);
    reply.writeHead(200, { 'content-length': bytes.length });
    if (!name.endsWith(stallsAt)) return void reply.end(bytes);
    reply.write(bytes.subarray(0, bytes.length / 2), () => resolve());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ...{ url: `http://127.0.0.1:${port}`, stalled },
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
