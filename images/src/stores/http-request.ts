import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { cipherOrder } from '#base/cipher-order.ts';
import { RekindleError } from '#base/errors.ts';
import { type ArrivedBody, bodyLimit, createArrivedBody } from './arrived-body.ts';
import type { HttpStoreRef } from './chunk-store.ts';

/** One HTTP request after another to one server, kept alive, repeated while the server may come back. */

export interface HttpReply {
  readonly status: number;
  readonly body: Buffer;
}

export interface RequestOptions {
  readonly body?: Uint8Array;
  readonly type?: string;
  /** Memory for the reply's body, which is a part of it where that fits. */
  readonly into?: Uint8Array;
}

export interface HttpClient {
  /**
   * What of a GET has arrived before the connection broke is kept, and only the rest is asked for (RFC 9110, 14.2).
   * @throws RekindleError `store-unreachable` when nothing comes from the server for `patienceMs`.
   */
  request(method: string, path: string, options?: RequestOptions): Promise<HttpReply>;
  close(): void;
}

/** A server that restarts, a link that flaps: both are back within a minute. */
const patienceMs = 60_000;
/** No byte for so long is a dead connection, not a slow one. */
const silenceMs = 15_000;
const shortestPauseMs = 50;
const longestPauseMs = 2_000;

const transientCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
]);
const transientStatus = new Set([408, 425, 429, 500, 502, 503, 504]);

export function createHttpClient(ref: HttpStoreRef, patience = patienceMs): HttpClient {
  const base = ref.url.replace(/\/+$/, '');
  const secure = base.startsWith('https:');
  const agentOptions = { keepAlive: true, maxSockets: 32 };
  const agent = secure
    ? new https.Agent({ ...agentOptions, ciphers: cipherOrder() })
    : new http.Agent(agentOptions);
  const pinned = ref.tls === undefined ? {} : { ca: ref.tls.ca, servername: ref.tls.serverName };

  const once = (
    method: string,
    path: string,
    arrived: ArrivedBody,
    { body, type }: RequestOptions,
  ): Promise<HttpReply> =>
    new Promise((resolve, reject) => {
      const options = {
        method,
        agent,
        timeout: silenceMs,
        headers: {
          ...(ref.token === undefined ? {} : { authorization: `Bearer ${ref.token}` }),
          ...(body === undefined ? {} : { 'content-length': body.length, 'content-type': type }),
          ...arrived.rangeHeaders,
        },
        ...pinned,
      };
      const onReply = (reply: http.IncomingMessage): void => {
        const status = reply.statusCode ?? 0;
        // Some servers (busybox) send a body after all; what counts is known by now.
        if (method === 'HEAD') resolve({ status, body: Buffer.alloc(0) });
        const goesOn = arrived.goesOnWith(reply);
        if (!goesOn && (status === 200 || status === 206 || status === 416)) arrived.forget();
        // Another part than the missing one, or none of that file any more: everything is asked for again.
        if (status === 416 || (status === 206 && !goesOn)) reply.destroy(lostPart());
        if (status === 200) arrived.identify(reply);
        const taker = goesOn || status === 200 ? arrived : createArrivedBody();
        reply.on('data', (part: Buffer) => {
          if (!taker.add(part)) request.destroy(new Error(`the reply is larger than ${bodyLimit} bytes`));
        });
        reply.on('error', reject);
        reply.on('end', () => resolve({ status: goesOn ? 200 : status, body: taker.whole() }));
      };
      const request = secure
        ? https.request(`${base}${path}`, options, onReply)
        : http.request(`${base}${path}`, options, onReply);
      request.on('timeout', () =>
        request.destroy(Object.assign(new Error(`no byte for ${silenceMs / 1000} s`), { code: 'ETIMEDOUT' })),
      );
      request.on('error', reject);
      request.end(body);
    });

  return {
    async request(method, path, options = {}) {
      let giveUpAt = performance.now() + patience;
      const arrived = createArrivedBody(options.into);
      for (let pause = shortestPauseMs; ; pause = Math.min(pause * 2, longestPauseMs)) {
        let reason: unknown;
        const before = arrived.bytes;
        try {
          const reply = await once(method, path, arrived, options);
          if (!transientStatus.has(reply.status)) return reply;
          reason = new Error(`the server answered with status ${reply.status}`);
        } catch (error) {
          if (!isTransient(error)) throw unreachable(method, `${base}${path}`, 'failed', error);
          if (method !== 'GET') arrived.forget();
          reason = error;
        }
        if (arrived.bytes > before) {
          giveUpAt = performance.now() + patience;
          pause = shortestPauseMs;
        }
        if (performance.now() + pause > giveUpAt) {
          throw unreachable(method, `${base}${path}`, `failed for ${Math.round(patience / 1000)} s`, reason);
        }
        await sleep(pause);
      }
    },
    close: () => agent.destroy(),
  };
}

const lostPart = (): Error =>
  Object.assign(new Error('the server sent another part than the missing one'), { code: 'ECONNABORTED' });

function isTransient(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    transientCodes.has(error.code)
  );
}

function unreachable(method: string, url: string, how: string, cause: unknown): RekindleError {
  return new RekindleError('store-unreachable', `${method} ${url} ${how}`, {
    cause,
    next: 'Check the network cable and that the netboot service runs, then start again: verified work is kept.',
  });
}
