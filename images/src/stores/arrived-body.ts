import type { IncomingMessage } from 'node:http';

/**
 * What of a reply's body has come, over all the connections that it took: the rest of a GET is asked for with
 * Range (RFC 9110, section 14.2), and only of the same file.
 */
export interface ArrivedBody {
  readonly bytes: number;
  readonly rangeHeaders: Readonly<Record<string, string>>;
  /** The reply goes on where the last one broke off. */
  goesOnWith(reply: IncomingMessage): boolean;
  /** Remembers by what the file is known (ETag, else Last-Modified). */
  identify(reply: IncomingMessage): void;
  /** False when it gets too long. */
  add(part: Buffer): boolean;
  whole(): Buffer;
  forget(): void;
}

export const bodyLimit = 256 << 20;

/** @param into the caller's memory, used while the body fits: parts that are kept are garbage later */
export function createArrivedBody(into?: Uint8Array): ArrivedBody {
  let memory = into;
  let parts: Buffer[] = [];
  let bytes = 0;
  let validator: string | undefined;
  const written = (): Buffer =>
    memory === undefined ? Buffer.concat(parts) : Buffer.from(memory.buffer, memory.byteOffset, bytes);
  return {
    get bytes() {
      return bytes;
    },
    get rangeHeaders() {
      if (bytes === 0) return {};
      return { range: `bytes=${bytes}-`, ...(validator === undefined ? {} : { 'if-range': validator }) };
    },
    goesOnWith: (reply) => reply.statusCode === 206 && startOf(reply) === bytes,
    identify(reply) {
      validator = reply.headers.etag ?? reply.headers['last-modified'];
    },
    add(part) {
      if (memory !== undefined && bytes + part.length > memory.length) {
        parts = [Buffer.from(written())];
        memory = undefined;
      }
      if (memory === undefined) parts.push(part);
      else memory.set(part, bytes);
      bytes += part.length;
      return bytes <= bodyLimit;
    },
    whole: written,
    forget() {
      memory = into;
      parts = [];
      bytes = 0;
      validator = undefined;
    },
  };
}

/** First byte of a part (RFC 9110, 14.4); -1 when the server does not say. */
export function startOf(reply: IncomingMessage): number {
  const match = /^bytes (\d+)-/.exec(reply.headers['content-range'] ?? '');
  return match === null ? -1 : Number(match[1]);
}
