import fs from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { packChunk } from '#images/stores/chunk-file.ts';
import { openHttpStore } from '#images/stores/http-store.ts';
import { openStore, openStoreForWriting } from '#images/stores/open-store.ts';
import { startPlainWebServer, startStore } from '#test/support/every-store.ts';
import { type Server, serveFolder } from '#test/support/images-folder-server.ts';
import { makeTemporaryFolder, noise, run } from '#test/support/restore-demo-disk.ts';

/** What only stores on a server have: tokens, certificates, lost connections. */

const plain = noise('chunk', 300_000);
const id = chunkIdOf(plain);

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

describe('a server that does not let us', () => {
  test('a token that is no good is no lost cable: exit code 2, and the service says what to do', async () => {
    await using store = await startStore('http served by rekindle', [id]);
    const url = store.reader.description;
    const { ca = '' } = store;
    const refused = (token: string) =>
      openStore({ kind: 'http', url, token, tls: { ca, serverName: 'rekindle' } });
    const foreign = chunkIdOf(Buffer.from('of another image'));
    await expect(refused('x'.repeat(43)).get(id)).rejects.toMatchObject({
      code: 'usage',
      next: 'Log on again.',
      cause: { message: expect.stringContaining('no valid token') },
    });
    await expect(store.reader.get(foreign)).rejects.toMatchObject({
      code: 'usage',
      details: { status: 403 },
      cause: { message: expect.stringContaining('its own image only') },
    });
  });

  test('a plain web server that forbids, or that only reads', async () => {
    server = await serveFolder(folder.path, true);
    const store = openStoreForWriting({ kind: 'http', url: server.url });
    await expect(store.get(id)).rejects.toMatchObject({
      code: 'usage',
      next: expect.stringContaining('access rules'),
    });
    await store.close();
    await using plainServer = await startPlainWebServer(folder.path);
    const readOnly = openStoreForWriting({ kind: 'http', url: plainServer.url });
    await expect(readOnly.put(id, packChunk(plain))).rejects.toMatchObject({
      next: expect.stringContaining('only reads'),
    });
    await readOnly.close();
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
    const store = openStoreForWriting({ kind: 'http', url: server.url, token: 'job-token' });
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
    expect(error).toMatchObject({ code: 'usage' });
    expect(JSON.stringify(error) + String(error)).not.toContain('secret-of-another-job');
    expect(server.requests).toHaveLength(1);
    await store.close();
  });
});
