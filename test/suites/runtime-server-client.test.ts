import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { formatError, RekindleError } from '#base/errors.ts';
import { type CaptureJob, serverName } from '#contract/api.ts';
import { createCertificates } from '#pxe-server/site/create-certificates.ts';
import { type SitePaths, sitePaths } from '#pxe-server/site/site-paths.ts';
import { commitCapture } from '#runtime/server-client/calls.ts';
import { createServerClient, type ServerClient } from '#runtime/server-client/server-client.ts';

/** The client against real TLS servers on loopback, with certificates as `rekindle init` makes them. */

const folders: string[] = [];
let site: SitePaths;
let otherSite: SitePaths;
const open: (Server | ServerClient)[] = [];

async function newSite(): Promise<SitePaths> {
  const folder = await mkdtemp(join(tmpdir(), 'rekindle-client-'));
  folders.push(folder);
  const paths = sitePaths(folder);
  await mkdir(join(folder, 'keys'));
  await createCertificates(paths, ['127.0.0.1']);
  return paths;
}

beforeAll(async () => {
  [site, otherSite] = [await newSite(), await newSite()];
});
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

async function serve(handle: RequestListener, { from = site, port = 0 } = {}): Promise<number> {
  const server = createServer(
    { key: await readFile(from.serverKey), cert: await readFile(from.serverCertificate) },
    handle,
  );
  open.push(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function clientOf(
  port: number,
  options: { pauses?: number[]; name?: string } = {},
): Promise<ServerClient> {
  const ca = await readFile(site.caCertificate, 'utf8');
  const address = { url: `https://127.0.0.1:${port}`, ca, serverName: options.name ?? serverName };
  const client = createServerClient(address, options.pauses ?? []);
  open.push(client);
  return client;
}

const call = {
  doing: 'counting',
  method: 'GET',
  path: '/count',
  reply: z.strictObject({ count: z.int() }),
  repeatable: true,
} as const;
const failureOf = async (promise: Promise<unknown>): Promise<RekindleError> => {
  const error: unknown = await promise.then(() => undefined).catch((reason: unknown) => reason);
  if (!(error instanceof RekindleError)) throw new Error(`no RekindleError: ${String(error)}`);
  return error;
};

describe('server client', () => {
  test('a checked reply, with token and body as sent', async () => {
    const seen: unknown[] = [];
    const port = await serve((request, response) => {
      request.on('data', (bytes: Buffer) => {
        seen.push(request.headers.authorization, request.headers['content-type'], bytes.toString());
        response.end('{"count":3}');
      });
    });
    const client = await clientOf(port);
    expect(await client.get({ ...call, method: 'POST', token: 'T', json: { from: 1 } })).toEqual({
      count: 3,
    });
    expect(seen).toEqual(['Bearer T', 'application/json', '{"from":1}']);
  });

  test("another site's server is refused, at once, with a warning against typing a password", async () => {
    const port = await serve((_request, response) => response.end('{}'), { from: otherSite });
    const error = await failureOf((await clientOf(port, { pauses: [60_000] })).get(call));
    expect(error.code).toBe('store-unreachable');
    expect(formatError(error)).toContain('Type no password');
  });

  test('a certificate for another name is refused', async () => {
    const port = await serve((_request, response) => response.end('{}'));
    const error = await failureOf((await clientOf(port, { name: 'somebody-else' })).get(call));
    expect(formatError(error)).toContain("not this site's");
  });

  test('a service that starts late is found', async () => {
    const port = await serve(() => {});
    for (const each of open.splice(0)) each.close();
    const client = await clientOf(port, { pauses: [100, 200, 400, 800, 1600] });
    const reply = client.get(call);
    setTimeout(() => void serve((_request, response) => response.end('{"count":1}'), { port }), 300);
    expect(await reply).toEqual({ count: 1 });
  });

  test('a connection that breaks after the request: sent again only when that does no harm', async () => {
    let requests = 0;
    const port = await serve((request, response) => {
      requests += 1;
      if (requests === 1) request.socket.destroy();
      else response.end('{"count":2}');
    });
    expect(await (await clientOf(port, { pauses: [10] })).get(call)).toEqual({ count: 2 });
    requests = 0;
    const error = await failureOf(
      (await clientOf(port, { pauses: [10] })).get({ ...call, repeatable: false }),
    );
    expect(error.code).toBe('store-unreachable');
    expect(requests).toBe(1);
  });

  test('nobody there is a sentence with the address and what to do', async () => {
    const port = await serve(() => {});
    for (const each of open.splice(0)) each.close();
    const text = formatError(await failureOf((await clientOf(port)).get(call)));
    expect(text).toContain(`counting: https://127.0.0.1:${port} did not answer`);
    expect(text).toContain('ECONNREFUSED');
    expect(text).toContain('Next: ');
  });

  test("a problem is a value, or a failure with the service's own sentence and advice", async () => {
    const port = await serve((_request, response) => {
      response.statusCode = 404;
      response.end('{"code":"no-such-image","message":"There is no image X.","next":"Choose another."}');
    });
    const client = await clientOf(port);
    expect(await client.ask(call)).toMatchObject({ kind: 'refused', problem: { code: 'no-such-image' } });
    const error = await failureOf(client.get(call));
    expect(error.code).toBe('not-found');
    expect(formatError(error)).toBe('counting\n  because: There is no image X.\nNext: Choose another.');
  });

  test('a commit is asked for again for as long as the service reads the image', async () => {
    const replies = [
      [503, '{"code":"still-checking","message":"The service reads.","retryAfterSeconds":0}'],
      [503, '{"code":"still-checking","message":"The service reads.","retryAfterSeconds":0}'],
      [200, '{"ref":"OS-SRV-1A@20261120T020000Z","manifestSha256":"00"}'],
    ] as const;
    let asked = 0;
    const port = await serve((request, response) => {
      const [status, body] = replies[asked++] ?? [500, ''];
      response.statusCode = status;
      request.resume().on('end', () => response.end(body));
    });
    const job = { jobId: 'job', token: 'T', imageName: 'OS-SRV-1A_20261120T020000Z' } as CaptureJob;
    const reply = await commitCapture(await clientOf(port), job, Buffer.from('{}'));
    expect(reply).toEqual({ ref: 'OS-SRV-1A@20261120T020000Z', manifestSha256: '00' });
    expect(asked).toBe(3);
  });

  test.each([
    ['no JSON', 200, '<html>', 'unexpected'],
    ['another shape', 200, '{"count":"many"}', 'unexpected'],
    ['nothing', 204, '', 'unexpected'],
    ['an error page of somebody else', 502, '<html>Bad Gateway</html>', 'store-unreachable'],
  ])('%s is no reply', async (_name, status, body, code) => {
    const port = await serve((_request, response) => {
      response.statusCode = status;
      response.end(body);
    });
    expect((await failureOf((await clientOf(port)).get(call))).code).toBe(code);
  });
});
