import { startOf } from './arrived-body.ts';
import type { HttpReply } from './http-request.ts';
import { createPatience, lostPart, patienceMs, transientFault, type Wire } from './http-wire.ts';

/** A file of any size, as it comes: nothing of it is kept here. */

export interface StreamOptions {
  /** What to throw of an answer that is no file. */
  readonly refuse: (reply: HttpReply) => Error;
  readonly signal?: AbortSignal | undefined;
  readonly patience?: number | undefined;
}

/** Of an answer that is no file, so much is read. */
const refusalLimit = 64 << 10;

/**
 * Goes on where a connection broke (Range, If-Range: RFC 9110, 14.2); where the server knows no parts, or has another
 * file by now, all of it is read again and what was handed out is left out. So the bytes may be of two files: the
 * caller knows their hash.
 * @throws RekindleError `store-unreachable` when nothing comes for `patience`; the signal's reason
 */
export async function* streamFile(
  wire: Wire,
  path: string,
  { refuse, signal, patience = patienceMs }: StreamOptions,
): AsyncGenerator<Buffer, void> {
  const waiting = createPatience(`GET ${wire.urlOf(path)}`, patience);
  let done = 0;
  let validator: string | undefined;
  let asksForPart = true;
  for (;;) {
    let reason: unknown;
    let refused: HttpReply | undefined;
    const before = done;
    try {
      const part = done > 0 && asksForPart;
      const ifRange = validator === undefined ? {} : { 'if-range': validator };
      const headers = part ? { range: `bytes=${done}-`, ...ifRange } : {};
      const reply = await wire.open('GET', path, { headers, signal });
      const status = reply.statusCode ?? 0;
      const goesOn = part && status === 206 && startOf(reply) === done;
      reason = transientFault(status);
      if (status === 200 || goesOn) {
        if (status === 200) validator = reply.headers.etag ?? reply.headers['last-modified'];
        let known = goesOn ? 0 : done;
        for await (const bytes of reply as AsyncIterable<Buffer>) {
          const fresh = bytes.subarray(Math.min(known, bytes.length));
          known -= bytes.length - fresh.length;
          done += fresh.length;
          if (fresh.length > 0) yield fresh;
        }
        return;
      }
      if (part && (status === 206 || status === 416)) {
        asksForPart = false;
        reason = lostPart();
      }
      if (reason === undefined) refused = { status, body: await beginningOf(reply) };
      reply.destroy();
    } catch (error) {
      signal?.throwIfAborted();
      waiting.assertTransient(error);
      reason = error;
    }
    if (refused !== undefined) throw refuse(refused);
    if (done > before) waiting.renew();
    await waiting.afterFault(reason, signal);
  }
}

async function beginningOf(reply: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of reply) {
    parts.push(part);
    bytes += part.length;
    if (bytes >= refusalLimit) break;
  }
  return Buffer.concat(parts);
}
