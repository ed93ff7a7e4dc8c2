import express, { type Express, type Request, type Response } from 'express';
import { bootScriptPath, loaderPath } from '../boot/boot-file.ts';
import { formatRefusalScript } from '../boot/boot-script.ts';
import { formatIpxeScript } from '../boot/ipxe-script.ts';
import { type LoaderName, loaderNames } from '../boot/loader-name.ts';
import { parseMacAddress } from '../boot/mac-address.ts';
import { findOtherFile } from '../boot/other-systems.ts';
import type { Configuration } from '../config/configuration.ts';
import type { BootStage } from '../journal/boot-stage.ts';
import type { Journal } from '../journal/journal.ts';
import { machineAt, rememberMachine } from '../journal/neighbour-table.ts';
import type { LoaderWatch } from '../serve/loader-watch.ts';
import type { Metrics } from '../serve/metrics.ts';
import { type BootChoiceContext, chooseBoot } from '../stations/choose-boot.ts';
import { packFile } from '../stations/station-pack.ts';
import { withLargeReads } from './large-reads.ts';
import { sendFailureStatus } from './send-failure.ts';

export interface BootAppOptions extends BootChoiceContext {
  readonly journal: Journal;
  readonly metrics: Metrics;
  readonly loaders: ReadonlyMap<LoaderName, Uint8Array>;
  /** What firmware and iPXE fetched here; absent: nobody decides by it. */
  readonly watch?: Pick<LoaderWatch, 'http' | 'script'>;
  readonly onError: (doing: string, error: unknown) => void;
  /** More that is spoken in plain HTTP. */
  readonly addRoutes?: (app: Express) => void;
}

/**
 * Boot files over plain HTTP, because that is all that boot firmware and Debian's iPXE speak. Names come from
 * fixed lists; nothing here is secret, and what matters is checked again by the runtime.
 */
export function createBootApp(options: BootAppOptions): Express {
  const { paths, journal, loaders, configuration, metrics, watch } = options;
  const app = express().disable('x-powered-by');
  const record = (request: Request, stage: BootStage, sentence: string) => {
    journal.record({ machine: machineAt(request.socket.remoteAddress ?? ''), stage, sentence });
  };

  app.use((_request, response, next) => {
    response.once('close', () =>
      metrics.count('rekindle_http_requests_total', {
        status: response.writableFinished ? String(response.statusCode) : 'broken off',
      }),
    );
    next();
  });

  app.get('/healthz', (_request, response) => {
    response.set('Cache-Control', 'no-store').type('text/plain');
    try {
      options.state.prepare('SELECT count(*) FROM stations').get();
      response.send('ok\n');
    } catch (error) {
      options.onError('answering /healthz', error);
      response.status(503).send('the state of the site cannot be read\n');
    }
  });
  app.get('/metrics', (_request, response) => {
    response.set('Cache-Control', 'no-store').type('text/plain; version=0.0.4').send(metrics.format());
  });

  app.get(pathOf(bootScriptPath('')), (request, response) => {
    const { mac: macText, uuid, choice } = request.query;
    const mac = parseMacAddress(String(macText));
    response.type('text/plain').set('Cache-Control', 'no-store');
    if (mac === undefined) {
      return void response.status(400).send(formatRefusalScript('this request names no network card'));
    }
    rememberMachine(request.socket.remoteAddress ?? '', mac);
    watch?.script(mac);
    const { httpBaseUrl, apiUrl } = addressesOf(request, configuration);
    const machine = { mac, ...(isUuid(uuid) ? { uuid } : {}) };
    const chosen = typeof choice === 'string' ? { choice } : {};
    const { boot, sentence } = chooseBoot(options, { ...machine, ...chosen, apiUrl });
    journal.record({ machine: mac, stage: 'boot-files', sentence });
    response.send(formatIpxeScript(boot, { ...machine, httpBaseUrl }));
  });

  // Range, HEAD, ETag, Content-Length and back-pressure are those of Express's `send`.
  const sendFile = (response: Response, file: string, what: string) => {
    const { req: request } = response;
    const startedAt = performance.now();
    response.sendFile(file, withLargeReads({ dotfiles: 'allow', maxAge: 0 }), (error?: Error) => {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      if (error === undefined) return record(request, 'boot-files', `gets ${what} in ${seconds} s`);
      record(request, 'boot-files', `does not get ${what}: ${error.message}`);
      if (response.headersSent) return;
      const status = sendFailureStatus(response, error);
      refuse(response, status, status === 416 ? `${what} has no such range` : `${what} is not there`);
    });
  };
  app.get('/boot/vmlinuz', (_request, response) => sendFile(response, paths.kernel, 'the kernel'));
  app.get('/boot/runtime.img', (_request, response) => sendFile(response, paths.runtimeImage, 'the runtime'));
  app.get('/boot/packs/:name', (request, response) => {
    const name = /^([A-Za-z0-9-]{1,63})\.img$/.exec(request.params.name)?.[1];
    if (name === undefined) return notFound(response, 'no such driver pack');
    sendFile(response, packFile(paths, name), `driver pack ${name}`);
  });
  app.get('/boot/other/*path', (request, response) => {
    const wanted = request.params.path.join('/');
    const found = findOtherFile(configuration, paths.boot, wanted);
    if (found !== undefined) return sendFile(response, found.file, `${wanted} of ${found.title}`);
    notFound(response, 'no such file of another system');
  });
  for (const name of loaderNames) {
    app.get(loaderPath(name), (request, response) => {
      record(request, 'loader', `${request.method === 'HEAD' ? 'asks the size of' : 'gets'} ${name} by HTTP`);
      const machine = machineAt(request.socket.remoteAddress ?? '');
      const askedAt = Date.now();
      response.once('close', () => {
        const isWhole = request.method === 'GET' && response.statusCode === 200 && response.writableFinished;
        if (isWhole) watch?.http(machine, name, askedAt);
      });
      response.type('application/efi').send(Buffer.from(loaders.get(name) ?? []));
    });
  }

  options.addRoutes?.(app);

  app.use((_request, response) => notFound(response, 'no such boot file'));
  const onError: express.ErrorRequestHandler = (error, request, response, _next) => {
    options.onError(`answering ${request.method} ${request.path}`, error);
    if (response.headersSent) return void response.destroy();
    response.status(500).type('text/plain').send('the netboot service failed; its log says why\n');
  };
  app.use(onError);
  return app;
}

/** How this machine reaches us: by the address that it has just used. */
function addressesOf(request: Request, { http, https }: Configuration) {
  const address = (request.socket.localAddress ?? '').replace(/^::ffff:/, '');
  return { httpBaseUrl: `http://${address}:${http.port}`, apiUrl: `https://${address}:${https.port}` };
}

/** It goes into a URL of the next script. */
function isUuid(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9A-Fa-f-]{1,64}$/.test(value);
}

function pathOf(pathAndQuery: string): string {
  return pathAndQuery.replace(/\?.*$/, '');
}

function notFound(response: Response, sentence: string): void {
  refuse(response, 404, sentence);
}

function refuse(response: Response, status: number, sentence: string): void {
  response.status(status).type('text/plain').send(`${sentence}\n`);
}
