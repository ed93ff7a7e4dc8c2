import { type ArrivedBody, bodyLimit, createArrivedBody } from './arrived-body.ts';
import type { HttpStoreRef } from './chunk-store.ts';
import { type StreamOptions, streamFile } from './http-stream.ts';
import { createPatience, createWire, lostPart, patienceMs, transientFault, type Wire } from './http-wire.ts';

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
  /** The body of a GET of any size, as it comes. @throws as `streamFile` */
  stream(path: string, options: Omit<StreamOptions, 'patience'>): AsyncIterable<Uint8Array>;
  close(): void;
}

export function createHttpClient(ref: HttpStoreRef, patience = patienceMs): HttpClient {
  const wire = createWire(ref);
  return {
    async request(method, path, options = {}) {
      const waiting = createPatience(`${method} ${wire.urlOf(path)}`, patience);
      const arrived = createArrivedBody(options.into);
      for (;;) {
        let reason: unknown;
        const before = arrived.bytes;
        try {
          const reply = await once(wire, method, path, arrived, options);
          reason = transientFault(reply.status);
          if (reason === undefined) return reply;
        } catch (error) {
          waiting.assertTransient(error);
          if (method !== 'GET') arrived.forget();
          reason = error;
        }
        if (arrived.bytes > before) waiting.renew();
        await waiting.afterFault(reason);
      }
    },
    stream: (path, options) => streamFile(wire, path, { ...options, patience }),
    close: wire.close,
  };
}

async function once(
  wire: Wire,
  method: string,
  path: string,
  arrived: ArrivedBody,
  { body, type }: RequestOptions,
): Promise<HttpReply> {
  const headers = {
    ...(body === undefined ? {} : { 'content-length': body.length, 'content-type': type }),
    ...arrived.rangeHeaders,
  };
  const reply = await wire.open(method, path, { headers, body });
  const status = reply.statusCode ?? 0;
  // Some servers (busybox) send a body after all; what counts is known by now.
  if (method === 'HEAD') {
    reply.on('error', () => {}).resume();
    return { status, body: Buffer.alloc(0) };
  }
  const goesOn = arrived.goesOnWith(reply);
  if (!goesOn && (status === 200 || status === 206 || status === 416)) arrived.forget();
  if (status === 200) arrived.identify(reply);
  const taker = goesOn || status === 200 ? arrived : createArrivedBody();
  return new Promise((resolve, reject) => {
    reply.on('error', reject);
    reply.on('data', (part: Buffer) => {
      if (!taker.add(part)) reply.destroy(new Error(`the reply is larger than ${bodyLimit} bytes`));
    });
    reply.on('end', () => resolve({ status: goesOn ? 200 : status, body: taker.whole() }));
    // Another part than the missing one, or none of that file any more: everything is asked for again.
    if (status === 416 || (status === 206 && !goesOn)) reply.destroy(lostPart());
  });
}
