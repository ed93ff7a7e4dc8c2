import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { generateKeyPair } from '#images/format/minisign.ts';
import { readSystemStateFile } from '#images/stores/system-state-file.ts';
import { makeTemporaryFolder, noise } from '#test/support/restore-demo-disk.ts';
import { writeSystemState } from '#test/support/system-state-in-store.ts';

/** A connection that breaks in the middle of a file of a system state: the rest is asked for, nothing is kept. */

const content = noise('disk', 3_000_000);
const cutAt = 1_200_000;
using folder = makeTemporaryFolder();
const { name, manifest } = writeSystemState(folder.path, generateKeyPair(), {
  station: 'DC1',
  utc: '20261120T020000Z',
  files: { 'Backup 2026-11-20 020000/b 1#.vhdx': content },
});

let server: http.Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

interface Asked {
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

/** The first answer is cut; `answer` gives the later ones. */
async function serve(answer: (asked: Asked, reply: http.ServerResponse, number: number) => void) {
  const asked: Asked[] = [];
  server = http.createServer((request, reply) => {
    const { range, 'if-range': ifRange } = request.headers;
    const one = { path: request.url ?? '', range, ifRange: ifRange as string | undefined };
    asked.push(one);
    if (asked.length > 1) return answer(one, reply, asked.length);
    reply.writeHead(200, { etag: '"v1"', 'content-length': content.length });
    reply.write(content.subarray(0, cutAt), () => setTimeout(() => reply.destroy(), 50));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { ref: { kind: 'http', url, token: 't' } as const, asked };
}

function sendFrom(reply: http.ServerResponse, range: string | undefined, bytes = content): void {
  const from = Number(range?.slice('bytes='.length, -1));
  const contentRange = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
  reply.writeHead(206, { 'content-range': contentRange }).end(bytes.subarray(from));
}

async function read(ref: Parameters<typeof readSystemStateFile>[0], signal?: AbortSignal): Promise<Buffer> {
  const parts: Buffer[] = [];
  const [file] = manifest.files;
  if (file === undefined) throw new Error('a file');
  for await (const part of readSystemStateFile(ref, name, manifest, file, signal))
    parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

test('only the rest is asked for, of the same file', async () => {
  const { ref, asked } = await serve(({ range }, reply) => sendFrom(reply, range));
  expect((await read(ref)).equals(content)).toBe(true);
  const folder = '/system-states/DC1/DC1_20261120T020000Z/WindowsImageBackup/DC1';
  const path = `${folder}/Backup%202026-11-20%20020000/b%201%23.vhdx`;
  expect(asked).toEqual([
    { path, range: undefined, ifRange: undefined },
    { path, range: `bytes=${cutAt}-`, ifRange: '"v1"' },
  ]);
});

test.each<[string, (asked: Asked, reply: http.ServerResponse, number: number) => void]>([
  [
    'is cut again, and busy in between',
    ({ range }, reply, number) => {
      if (number === 2) return void reply.writeHead(503).end('starting');
      if (number > 3) return sendFrom(reply, range);
      reply.writeHead(206, { 'content-range': `bytes ${cutAt}-${content.length - 1}/${content.length}` });
      reply.write(content.subarray(cutAt, cutAt + 500_000), () => setTimeout(() => reply.destroy(), 50));
    },
  ],
  ['knows no parts', (_, reply) => void reply.writeHead(200).end(content)],
  [
    'sends another part',
    ({ range }, reply) =>
      range === undefined ? void reply.writeHead(200).end(content) : sendFrom(reply, 'bytes=7-'),
  ],
  [
    'has no such part any more',
    ({ range }, reply) =>
      void (range === undefined ? reply.writeHead(200).end(content) : reply.writeHead(416).end()),
  ],
])('a server that %s: the file is right all the same', async (_, answer) => {
  const { ref, asked } = await serve(answer);
  expect((await read(ref)).equals(content)).toBe(true);
  expect(asked.length).toBeLessThan(6);
});

test('a file that was replaced meanwhile is refused', async () => {
  const { ref } = await serve((_, reply) => void reply.writeHead(200).end(noise('other', content.length)));
  await expect(read(ref)).rejects.toMatchObject({ code: 'verification-failed' });
});

test('a file that never ends is left at its size', async () => {
  const { ref } = await serve(({ range }, reply) =>
    sendFrom(reply, range, Buffer.concat([content, content])),
  );
  await expect(read(ref)).rejects.toThrow('longer than 3000000 bytes');
});

test.each([
  [401, 'usage'],
  [403, 'usage'],
  [404, 'verification-failed'],
])('status %s is %s, at once', async (status, code) => {
  const { ref, asked } = await serve((_, reply) => void reply.writeHead(status).end());
  await expect(read(ref)).rejects.toMatchObject({ code });
  expect(asked).toHaveLength(2);
});

test.each<[string, (reply: http.ServerResponse) => void]>([
  ['while it waits', (reply) => void reply.writeHead(503).end()],
  ['before an answer', () => {}],
  [
    'in the middle of a file',
    (reply) => void reply.writeHead(206, { 'content-range': `bytes ${cutAt}-` }).write('x'),
  ],
])('who stops is let go at once, %s', async (_, answer) => {
  const { ref } = await serve((_, reply) => answer(reply));
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 400);
  const before = performance.now();
  await expect(read(ref, stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
  expect(performance.now() - before).toBeLessThan(5000);
});
