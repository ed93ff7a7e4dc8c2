import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { parseConfiguration } from '#pxe-server/config/parse-configuration.ts';
import { createApiApp } from '#pxe-server/http/api-app.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import type { ServiceContext } from '#pxe-server/serve/service-context.ts';
import { createSite } from '#pxe-server/site/create-site.ts';
import { readServerTls, readSigningKey } from '#pxe-server/site/site-keys.ts';
import { type SitePaths, sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';

export interface ApiReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
  /** The body as JSON; undefined when there is none. */
  readonly json: Record<string, unknown>;
}

export interface ApiRequest {
  readonly token?: string;
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
}

/** A real site folder and the API over TLS on loopback, as `serve` puts them together, without DHCP. */
export interface ApiService extends AsyncDisposable {
  readonly context: ServiceContext;
  readonly paths: SitePaths;
  readonly port: number;
  readonly ca: string;
  /** `path` is below `/api/v1`. */
  ask(method: string, path: string, request?: ApiRequest): Promise<ApiReply>;
}

export async function startApiService(configurationText = 'interface: lo\n'): Promise<ApiService> {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-api-'));
  const paths = sitePaths(folder);
  await createSite(paths, { interface: 'lo', dhcp: { mode: 'proxy' } });
  makeKernelWithoutModules(paths);
  const parsed = parseConfiguration(configurationText);
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  const state = openState(paths.state, { create: true });
  const context: ServiceContext = {
    state,
    paths,
    configuration: parsed.configuration,
    store: join(folder, 'images'),
    signingKey: await readSigningKey(paths),
    journal: createJournal(state, { keptBoots: 20 }),
    log: pino({ level: 'silent' }),
  };
  const server = https.createServer(
    { ...(await readServerTls(paths)), minVersion: 'TLSv1.3' },
    createApiApp(context),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ca = readFileSync(paths.caCertificate, 'utf8');
  const agent = new https.Agent({ ca, servername: 'rekindle', keepAlive: true });

  return {
    context,
    paths,
    port,
    ca,
    ask: (method, path, request = {}) => send({ agent, port, method, path: `/api/v1${path}`, ...request }),
    async [Symbol.asyncDispose]() {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      state.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Tables of depmod for a kernel that has everything built in: packs for it are empty, and made at once. */
function makeKernelWithoutModules(paths: SitePaths): void {
  const modulesDirectory = join(paths.folder, 'modules');
  mkdirSync(modulesDirectory, { recursive: true });
  for (const table of ['dep', 'alias', 'softdep'])
    writeFileSync(join(modulesDirectory, `modules.${table}`), '');
  writeFileSync(paths.kernel, 'kernel');
  writeFileSync(
    paths.kernelRecord,
    JSON.stringify({
      version: '6.1.0-1-amd64',
      packageVersion: '6.1.1-1',
      vmlinuz: paths.kernel,
      modulesDirectory,
    }),
  );
}

interface Sending extends ApiRequest {
  readonly agent: https.Agent;
  readonly port: number;
  readonly method: string;
  readonly path: string;
}

function send({ agent, port, method, path, token, json, bytes }: Sending): Promise<ApiReply> {
  const body = bytes ?? (json === undefined ? undefined : Buffer.from(JSON.stringify(json)));
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-length': body.length, 'content-type': 'application/json' }),
  };
  return new Promise((resolve, reject) => {
    const request = https.request({ agent, host: '127.0.0.1', port, method, path, headers }, (reply) => {
      const parts: Buffer[] = [];
      reply.on('data', (part: Buffer) => parts.push(part));
      reply.on('error', reject);
      reply.on('end', () => {
        const whole = Buffer.concat(parts);
        const isJson = reply.headers['content-type']?.includes('json') === true && whole.length > 0;
        resolve({
          status: reply.statusCode ?? 0,
          headers: reply.headers,
          bytes: whole,
          json: isJson ? JSON.parse(whole.toString('utf8')) : {},
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}
