import fs from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chunkIdOf, chunkPath } from '#images/format/chunk-id.ts';
import { packChunk } from '#images/stores/chunk-file.ts';
import type { ChunkStore } from '#images/stores/chunk-store.ts';
import { openHttpStore } from '#images/stores/http-store.ts';
import { openStore } from '#images/stores/open-store.ts';
import { type Server, serveFolder } from '#test/support/images-folder-server.ts';
import { makeTemporaryFolder, noise, run } from '#test/support/restore-demo-disk.ts';

/** What every store must do, and how it fails. The HTTP ones speak to a small server over the same folder. */

const plain = noise('chunk', 300_000);
const id = chunkIdOf(plain);
const absent = chunkIdOf(Buffer.from('absent'));

let folder: ReturnType<typeof makeTemporaryFolder>;
let server: Server | undefined;
beforeEach(() => {
  folder = makeTemporaryFolder();
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  folder[Symbol.dispose]();
});

describe.each(['directory', 'http', 'http without missing'])('every store: %s', (kind) => {
  async function open(): Promise<ChunkStore> {
    if (kind === 'directory') return openStore({ kind: 'directory', path: folder.path });
    server = await serveFolder(folder.path, kind === 'http');
    return openStore({ kind: 'http', url: `${server.url}/`, token: 'job-token' });
  }
  const file = (): string => path.join(folder.path, 'chunks.castr', chunkPath(id));

  test('gives back what was put, and says what it lacks', async () => {
    const store = await open();
    expect(await store.missing([id, absent])).toEqual([id, absent]);
    await store.put(id, packChunk(plain));
    expect(await store.missing([id, absent])).toEqual([absent]);
    expect(Buffer.from(await store.get(id)).equals(plain)).toBe(true);
    await store.put(id, packChunk(plain));
    expect(fs.readdirSync(path.dirname(file()))).toEqual([`${id}.cacnk`]);
    await store.close();
  });

  test('names a chunk that it does not hold', async () => {
    const store = await open();
    await expect(store.get(absent)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining(absent),
    });
    await store.close();
  });

  test('refuses every damage to a chunk, and names it', async () => {
    const store = await open();
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
      fs.mkdirSync(path.dirname(file()), { recursive: true });
      fs.writeFileSync(file(), damaged);
      await expect(store.get(id)).rejects.toMatchObject({
        code: 'verification-failed',
        message: expect.stringContaining(id),
      });
      if (kind === 'directory') {
        expect(fs.existsSync(file())).toBe(false);
        expect(fs.readFileSync(`${file()}.bad`).equals(damaged)).toBe(true);
      }
    }
    await store.close();
  });
});

/** A site CA and a server certificate that carries a name, not an address. */
function makeCertificates(folder: string, serverName: string): { ca: string; key: string; cert: string } {
  const file = (name: string): string => path.join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  run(
    'openssl',
    'req',
    '-x509',
    ...key,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
    '-subj',
    '/CN=site',
    '-days',
    '2',
  );
  const signedBy = ['-CA', file('ca.pem'), '-CAkey', file('ca.key')];
  const subject = ['-subj', '/CN=server', '-addext', `subjectAltName=DNS:${serverName}`, '-days', '2'];
  run(
    'openssl',
    'req',
    '-x509',
    ...key,
    ...signedBy,
    '-keyout',
    file('s.key'),
    '-out',
    file('s.pem'),
    ...subject,
  );
  const read = (name: string): string => fs.readFileSync(file(name), 'utf8');
  return { ca: read('ca.pem'), key: read('s.key'), cert: read('s.pem') };
}

test('an HTTPS store trusts one CA and one name, whatever the address', async () => {
  const { ca, key, cert } = makeCertificates(folder.path, 'rekindle');
  const chunkFile = packChunk(plain);
  const tlsServer = https.createServer({ key, cert }, (_, reply) => void reply.end(chunkFile));
  await new Promise<void>((resolve) => tlsServer.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(tlsServer.address() as AddressInfo).port}`;
  const stores = [
    openStore({ kind: 'http', url, tls: { ca, serverName: 'rekindle' } }),
    openStore({ kind: 'http', url, tls: { ca, serverName: 'another' } }),
    openStore({ kind: 'http', url }),
  ] as const;
  try {
    expect(Buffer.from(await stores[0].get(id)).equals(plain)).toBe(true);
    await expect(stores[1].get(id)).rejects.toMatchObject({ code: 'store-unreachable' });
    await expect(stores[2].get(id)).rejects.toMatchObject({ code: 'store-unreachable' });
  } finally {
    for (const store of stores) await store.close();
    tlsServer.closeAllConnections();
    tlsServer.close();
  }
});

describe('an HTTP store', () => {
  test('goes on after resets, bad gateways and a restart of the server', async () => {
    server = await serveFolder(folder.path, true);
    const store = openStore({ kind: 'http', url: server.url, token: 'job-token' });
    await store.put(id, packChunk(plain));
    server.failNext = [0, 502, 503, 0];
    expect(Buffer.from(await store.get(id)).equals(plain)).toBe(true);

    const port = Number(new URL(server.url).port);
    await server.close();
    const reading = store.get(id);
    await new Promise((resolve) => setTimeout(resolve, 300));
    server = await serveFolder(folder.path, true, port);
    expect(Buffer.from(await reading).equals(plain)).toBe(true);
    await store.close();
  });

  test('gives up when nobody answers for as long as it is patient', async () => {
    const store = openHttpStore({ kind: 'http', url: 'http://127.0.0.1:9' }, 'sha256', 400);
    await expect(store.get(id)).rejects.toMatchObject({
      code: 'store-unreachable',
      message: expect.stringContaining('http://127.0.0.1:9'),
    });
    await store.close();
  });

  test('does not repeat a request that is refused, and never shows its token', async () => {
    server = await serveFolder(folder.path, true);
    const store = openStore({ kind: 'http', url: server.url, token: 'secret-of-another-job' });
    const error = await store.get(id).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'store-unreachable' });
    expect(JSON.stringify(error) + String(error)).not.toContain('secret-of-another-job');
    expect(server.requests).toHaveLength(1);
    await store.close();
  });
});
