import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { cipherOrder } from '#base/cipher-order.ts';
import { RekindleError } from '#base/errors.ts';
import type { HttpStoreRef } from './chunk-store.ts';

/** One HTTP request after another to one server, kept alive, repeated while the server may come back. */

export interface HttpReply {
  readonly status: number;
  readonly body: Buffer;
}

export interface HttpClient {
  /** @throws RekindleError `store-unreachable` when the server does not answer for `patienceMs`. */
  request(method: string, path: string, body?: Uint8Array, type?: string): Promise<HttpReply>;
  close(): void;
}

/** A server that restarts, a link that flaps: both are back within a minute. */
const patienceMs = 60_000;
/** No byte for so long is a dead connection, not a slow one. */
const silenceMs = 15_000;
const longestPauseMs = 2_000;
const bodyLimit = 256 << 20;

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

  const once = (method: string, path: string, body?: Uint8Array, type?: string): Promise<HttpReply> =>
    new Promise((resolve, reject) => {
      const options = {
        method,
        agent,
        timeout: silenceMs,
        headers: {
          ...(ref.token === undefined ? {} : { authorization: `Bearer ${ref.token}` }),
          ...(body === undefined ? {} : { 'content-length': body.length, 'content-type': type }),
        },
        ...pinned,
      };
      const onReply = (reply: http.IncomingMessage): void => {
        // Some servers (busybox) send a body after all; what counts is known by now.
        if (method === 'HEAD') resolve({ status: reply.statusCode ?? 0, body: Buffer.alloc(0) });
        const parts: Buffer[] = [];
        let length = 0;
        reply.on('data', (part: Buffer) => {
          length += part.length;
          if (length > bodyLimit) request.destroy(new Error(`the reply is larger than ${bodyLimit} bytes`));
          else parts.push(part);
        });
        reply.on('error', reject);
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body: Buffer.concat(parts) }));
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
    async request(method, path, body, type) {
      const giveUpAt = performance.now() + patience;
      for (let pause = 50; ; pause = Math.min(pause * 2, longestPauseMs)) {
        let reason: unknown;
        try {
          const reply = await once(method, path, body, type);
          if (!transientStatus.has(reply.status)) return reply;
          reason = new Error(`the server answered with status ${reply.status}`);
        } catch (error) {
          if (!isTransient(error)) throw unreachable(method, `${base}${path}`, 'failed', error);
          reason = error;
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
