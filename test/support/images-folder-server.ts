import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type ChunkId, chunkPath } from '#images/format/chunk-id.ts';

/** A small image store over HTTP for tests: a folder, a token, failures on demand. */

export interface Server {
  readonly url: string;
  readonly requests: string[];
  /** Status to answer the next requests with, before the server is well again. */
  failNext: number[];
  close(): Promise<void>;
}

/** @param token that has to be shown; null: everybody may do everything */
export async function serveFolder(
  folder: string,
  answersMissing: boolean,
  port = 0,
  token: string | null = 'job-token',
): Promise<Server> {
  const requests: string[] = [];
  const state = { failNext: [] as number[] };
  const server = http.createServer((request, reply) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      requests.push(`${request.method} ${request.url}`);
      const failure = state.failNext.shift();
      const end = (status: number, body?: Uint8Array): void => void reply.writeHead(status).end(body);
      if (failure === 0) return void request.socket.destroy();
      if (failure !== undefined) return end(failure);
      if (token !== null && request.headers.authorization !== `Bearer ${token}`) return end(401);
      const file = path.join(folder, request.url ?? '');
      if (request.method === 'POST') {
        if (!answersMissing) return end(405);
        const { chunks } = JSON.parse(Buffer.concat(parts).toString()) as { chunks: ChunkId[] };
        const missing = chunks.filter(
          (id) => !fs.existsSync(path.join(folder, 'chunks.castr', chunkPath(id))),
        );
        return end(200, Buffer.from(JSON.stringify({ missing })));
      }
      if (request.method === 'PUT') {
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, Buffer.concat(parts));
        return end(201);
      }
      return fs.existsSync(file) ? end(200, fs.readFileSync(file)) : end(404);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get failNext() {
      return state.failNext;
    },
    set failNext(statuses) {
      state.failNext = statuses;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
