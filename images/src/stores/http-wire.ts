import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { cipherOrder } from '#base/cipher-order.ts';
import { RekindleError } from '#base/errors.ts';
import type { HttpStoreRef } from './chunk-store.ts';

/** One try of one request to a store's server, and how long tries are repeated. */

export interface Wire {
  /** For messages: without credentials. */
  urlOf(path: string): string;
  /** The reply's head; its body is the caller's to read. @throws as Node; ETIMEDOUT after silence */
  open(method: string, path: string, options: OpenOptions): Promise<http.IncomingMessage>;
  close(): void;
}

export interface OpenOptions {
  readonly headers: Readonly<Record<string, string | number | undefined>>;
  readonly body?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A server that restarts, a link that flaps: both are back within a minute. */
export const patienceMs = 60_000;
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

export function createWire(ref: HttpStoreRef): Wire {
  const base = ref.url.replace(/\/+$/, '');
  const secure = base.startsWith('https:');
  const agentOptions = { keepAlive: true, maxSockets: 32 };
  const agent = secure
    ? new https.Agent({ ...agentOptions, ciphers: cipherOrder() })
    : new http.Agent(agentOptions);
  const pinned = ref.tls === undefined ? {} : { ca: ref.tls.ca, servername: ref.tls.serverName };
  const bearer = ref.token === undefined ? {} : { authorization: `Bearer ${ref.token}` };
  return {
    urlOf: (path) => `${base}${path}`,
    open: (method, path, { headers, body, signal }) =>
      new Promise((resolve, reject) => {
        const options = {
          method,
          agent,
          timeout: silenceMs,
          headers: { ...bearer, ...headers },
          ...(signal === undefined ? {} : { signal }),
          ...pinned,
        };
        let reply: http.IncomingMessage | undefined;
        const answered = (message: http.IncomingMessage): void => {
          reply = message;
          resolve(message);
        };
        const request = secure
          ? https.request(`${base}${path}`, options, answered)
          : http.request(`${base}${path}`, options, answered);
        request.on('timeout', () => {
          const silence = broken('ETIMEDOUT', `no byte for ${silenceMs / 1000} s`);
          // Who reads the body has to be told, and hears the reply only.
          reply?.destroy(silence);
          request.destroy(silence);
        });
        request.on('error', reject);
        request.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** An error that is worth another try. */
export const broken = (code: 'ETIMEDOUT' | 'ECONNABORTED', message: string): Error =>
  Object.assign(new Error(message), { code });

export const lostPart = (): Error =>
  broken('ECONNABORTED', 'the server sent another part than the missing one');

/** Undefined: this status is an answer. */
export const transientFault = (status: number): Error | undefined =>
  transientStatus.has(status) ? new Error(`the server answered with status ${status}`) : undefined;

export interface Patience {
  /** Bytes have come: it starts anew. */
  renew(): void;
  /** Returns when it is time for the next try. @throws RekindleError `store-unreachable` */
  afterFault(reason: unknown, signal?: AbortSignal): Promise<void>;
  /** @throws RekindleError `store-unreachable`, unless another try may help */
  assertTransient(error: unknown): void;
}

/** @param what `GET https://…`, for messages */
export function createPatience(what: string, patience: number): Patience {
  let giveUpAt = performance.now() + patience;
  let pause = shortestPauseMs;
  return {
    renew() {
      giveUpAt = performance.now() + patience;
      pause = shortestPauseMs;
    },
    async afterFault(reason, signal) {
      if (performance.now() + pause > giveUpAt)
        throw unreachable(`${what} failed for ${Math.round(patience / 1000)} s`, reason);
      await sleep(pause, undefined, { signal });
      pause = Math.min(pause * 2, longestPauseMs);
    },
    assertTransient(error) {
      if (!isTransient(error)) throw unreachable(`${what} failed`, error);
    },
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

function unreachable(what: string, cause: unknown): RekindleError {
  return new RekindleError('store-unreachable', what, {
    cause,
    next: 'Check the network cable and that the netboot service runs, then start again: verified work is kept.',
  });
}
