import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { packChunk } from '#images/stores/chunk-file.ts';
import { openHttpStore } from '#images/stores/http-store.ts';
import { noise } from '#test/support/restore-demo-disk.ts';

/** A connection that breaks in the middle of a chunk: what has arrived is kept where the server can send parts. */

const plain = noise('chunk', 400_000);
const id = chunkIdOf(plain);
const file = packChunk(plain);
const brokenAt = 150_000;

let server: http.Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

interface Asked {
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

/** The first answer breaks after 150,000 bytes; `answer` gives the later ones. */
async function serve(
  answer: (asked: Asked, reply: http.ServerResponse, number: number) => void,
): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  server = http.createServer((request, reply) => {
    const { range, 'if-range': ifRange } = request.headers;
    asked.push({ range, ifRange: Array.isArray(ifRange) ? ifRange[0] : ifRange });
    if (asked.length > 1) return answer({ range, ifRange: String(ifRange) }, reply, asked.length);
    reply.writeHead(200, { etag: '"v1"', 'content-length': file.length });
    reply.write(file.subarray(0, brokenAt), () => setTimeout(() => reply.destroy(), 50));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function sendFrom(reply: http.ServerResponse, from: number): void {
  const range = `bytes ${from}-${file.length - 1}/${file.length}`;
  reply.writeHead(206, { 'content-range': range }).end(file.subarray(from));
}

async function getChunk(url: string): Promise<Buffer> {
  const store = openHttpStore({ kind: 'http', url }, 'sha256', 5000);
  try {
    return Buffer.from(await store.get(id));
  } finally {
    await store.close();
  }
}

test('only the rest is asked for, of the same file', async () => {
  const { url, asked } = await serve(({ range }, reply) => sendFrom(reply, Number(range?.slice(6, -1))));
  expect((await getChunk(url)).equals(plain)).toBe(true);
  expect(asked.slice(1)).toEqual([{ range: `bytes=${brokenAt}-`, ifRange: '"v1"' }]);
});

test('a server that was busy in between does not cost what has arrived', async () => {
  const { url, asked } = await serve(({ range }, reply, number) =>
    number === 2 ? void reply.writeHead(503).end('starting') : sendFrom(reply, Number(range?.slice(6, -1))),
  );
  expect((await getChunk(url)).equals(plain)).toBe(true);
  expect(asked[2]?.range).toBe(`bytes=${brokenAt}-`);
});

test.each([
  ['sends the whole file again', (reply: http.ServerResponse) => void reply.writeHead(200).end(file)],
  [
    'sends another part',
    (reply: http.ServerResponse, number: number) =>
      number === 2 ? sendFrom(reply, 7) : void reply.writeHead(200).end(file),
  ],
  [
    'has no such part any more',
    (reply: http.ServerResponse, number: number) =>
      number === 2 ? void reply.writeHead(416).end() : void reply.writeHead(200).end(file),
  ],
])('a server that %s: the chunk is right all the same', async (_, answer) => {
  const { url } = await serve((_, reply, number) => answer(reply, number));
  expect((await getChunk(url)).equals(plain)).toBe(true);
});
