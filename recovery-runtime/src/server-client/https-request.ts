import { Agent, request } from 'node:https';
import { cipherOrder } from '#base/cipher-order.ts';
import { RekindleError } from '#base/errors.ts';

/** Where the service is, and the only CA that may vouch for it. */
export interface ServerAddress {
  /** e.g. https://10.77.0.1:8443 */
  readonly url: string;
  /** PEM of the site CA, from inside the runtime. */
  readonly ca: string;
  /** The name that the certificate must carry, whatever address the server has. */
  readonly serverName: string;
}

export interface HttpsRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly token?: string;
  readonly body?: Uint8Array;
  readonly contentType?: string;
}

export interface HttpsReply {
  readonly status: number;
  readonly body: Buffer;
}

/** Why no reply came: `not-sent` requests never reached the service and may safely be sent again. */
export interface ConnectionLoss {
  readonly kind: 'not-sent' | 'lost';
  readonly cause: Error;
}

/** The service answers within that, or it is not answering; a call that takes longer says so meanwhile. */
const replyTimeoutMilliseconds = 120_000;
const longestReplyBytes = 64 * 1024 * 1024;

export function createAgent({ ca, serverName }: ServerAddress): Agent {
  return new Agent({
    ca,
    servername: serverName,
    keepAlive: true,
    maxSockets: 8,
    minVersion: 'TLSv1.3',
    ciphers: cipherOrder(),
  });
}

/** One request, one reply of any status, or the loss of the connection; never throws for either. */
export function sendRequest(
  agent: Agent,
  server: ServerAddress,
  { method, path, token, body, contentType }: HttpsRequest,
): Promise<HttpsReply | ConnectionLoss> {
  return new Promise((resolve) => {
    let connected = false;
    const fail = (cause: Error) => resolve({ kind: connected ? 'lost' : 'not-sent', cause });
    const outgoing = request(new URL(path, server.url), {
      agent,
      method,
      timeout: replyTimeoutMilliseconds,
      headers: {
        accept: 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined
          ? {}
          : { 'content-type': contentType ?? 'application/json', 'content-length': body.byteLength }),
      },
    });
    outgoing.on('socket', (socket) => {
      // A kept-alive socket is connected already, and may be dying: what is sent on it may have arrived.
      if (!socket.connecting) connected = true;
      else
        socket.once('secureConnect', () => {
          connected = true;
        });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no reply in time')));
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      incoming.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > longestReplyBytes)
          incoming.destroy(new Error(`the reply is longer than ${longestReplyBytes}`));
        else parts.push(part);
      });
      incoming.on('error', fail);
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(parts) }));
    });
    outgoing.end(body);
  });
}

/** TLS failures do not get better by trying again; each has its own advice. */
const tlsAdvice: Readonly<Record<string, string>> = {
  CERT_NOT_YET_VALID:
    "This machine's clock is wrong. Set date and time in its firmware set-up, then try again.",
  CERT_HAS_EXPIRED:
    "Check date and time in this machine's firmware set-up. If they are right, renew the server's certificate.",
  SELF_SIGNED_CERT_IN_CHAIN: wrongCa(),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: wrongCa(),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: wrongCa(),
  DEPTH_ZERO_SELF_SIGNED_CERT: wrongCa(),
  ERR_TLS_CERT_ALTNAME_INVALID: wrongCa(),
};

function wrongCa(): string {
  return "The server that answers is not this site's. Type no password; find out who answers at its address.";
}

/** A RekindleError when the connection failed for a reason that stays, else nothing. */
export function lastingFailure(server: ServerAddress, loss: ConnectionLoss): RekindleError | undefined {
  const code = 'code' in loss.cause ? String(loss.cause.code) : '';
  const next = tlsAdvice[code];
  return next === undefined
    ? undefined
    : new RekindleError('store-unreachable', `checking the certificate of ${server.url}`, {
        cause: loss.cause,
        next,
        details: { lasting: true },
      });
}
