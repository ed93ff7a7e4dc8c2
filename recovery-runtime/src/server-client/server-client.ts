import { setTimeout as sleep } from 'node:timers/promises';
import type * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import {
  createAgent,
  type HttpsRequest,
  lastingFailure,
  type ServerAddress,
  sendRequest,
} from './https-request.ts';
import { parseRefusal, type Refusal, refusalError } from './problem.ts';

export interface Call<Schema extends z.ZodType> {
  /** "logging on as meier": the outermost sentence of whatever goes wrong. */
  readonly doing: string;
  readonly method: HttpsRequest['method'];
  readonly path: string;
  readonly token?: string;
  readonly json?: unknown;
  /** A body whose exact bytes matter. */
  readonly bytes?: Uint8Array;
  readonly contentType?: string;
  readonly reply: Schema;
  /** The call has the same effect twice as once: sent again also when the connection broke half way. */
  readonly repeatable: boolean;
}

export type Reply<Value> =
  | { readonly kind: 'ok'; readonly value: Value }
  | ({ readonly kind: 'refused' } & Refusal);

/** The service behind TLS that only the site's CA can vouch for. */
export interface ServerClient {
  readonly address: ServerAddress;
  /** @throws RekindleError `store-unreachable` after the last try; refusals are values */
  ask<Schema extends z.ZodType>(call: Call<Schema>): Promise<Reply<z.infer<Schema>>>;
  /** As `ask`, for calls where a refusal is a failure; asks again for as long as the service says it is at it. */
  get<Schema extends z.ZodType>(call: Call<Schema>): Promise<z.infer<Schema>>;
  /** The bytes of a file; a refusal is a failure. */
  getBytes(file: { readonly doing: string; readonly path: string; readonly token: string }): Promise<Buffer>;
  close(): void;
}

/** A switch port or a service that restarts is back within that. */
const pausesMilliseconds: readonly number[] = [250, 1000, 2000, 4000, 8000];

export function createServerClient(
  address: ServerAddress,
  pauses: readonly number[] = pausesMilliseconds,
): ServerClient {
  const agent = createAgent(address);

  const send = async (call: Omit<Call<z.ZodType>, 'reply'>) => {
    const body = call.bytes ?? (call.json === undefined ? undefined : Buffer.from(JSON.stringify(call.json)));
    const request: HttpsRequest = {
      method: call.method,
      path: call.path,
      ...(call.token === undefined ? {} : { token: call.token }),
      ...(body === undefined ? {} : { body }),
      ...(call.contentType === undefined ? {} : { contentType: call.contentType }),
    };
    for (let tries = 0; ; tries += 1) {
      const reply = await sendRequest(agent, address, request);
      if (!('kind' in reply)) return reply;
      const lasting = lastingFailure(address, reply);
      if (lasting !== undefined) throw lasting;
      const pause = pauses[tries];
      if (pause === undefined || (reply.kind === 'lost' && !call.repeatable)) {
        throw new RekindleError('store-unreachable', `${call.doing}: ${address.url} did not answer`, {
          cause: reply.cause,
          next: 'Check the network cable and that the recovery service runs, then try again.',
        });
      }
      await sleep(pause);
    }
  };

  const ask: ServerClient['ask'] = async (call) => {
    const { status, body } = await send(call);
    if (status < 200 || status >= 300) return { kind: 'refused', ...parseRefusal(status, body) };
    const json: unknown = body.length === 0 ? undefined : parseJson(call.doing, body);
    const parsed = call.reply.safeParse(json);
    if (!parsed.success) throw unreadable(call.doing, parsed.error);
    return { kind: 'ok', value: parsed.data };
  };

  return {
    address,
    ask,
    async get(call) {
      for (;;) {
        const reply = await ask(call);
        if (reply.kind === 'ok') return reply.value;
        if (reply.problem.code !== 'still-checking') throw refusalError(call.doing, reply);
        await sleep((reply.problem.retryAfterSeconds ?? 1) * 1000);
      }
    },
    async getBytes(file) {
      const { status, body } = await send({ ...file, method: 'GET', repeatable: true });
      if (status < 200 || status >= 300) throw refusalError(file.doing, parseRefusal(status, body));
      return body;
    },
    close: () => agent.destroy(),
  };
}

function parseJson(doing: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw unreadable(doing, cause);
  }
}

function unreadable(doing: string, cause: unknown): RekindleError {
  return new RekindleError(
    'unexpected',
    `${doing}: the server's reply is not what this runtime understands`,
    {
      cause,
      next: 'Build the runtime again from the same version as the service (rekindle runtime build).',
    },
  );
}
