import type { Readable } from 'node:stream';

/** Takes exact numbers of bytes from a stream. */
export interface ByteReader {
  /** Null when the stream ended before them. */
  read(bytes: number): Promise<Buffer | null>;
  /** Takes and drops. False when the stream ended before them. */
  skip(bytes: number): Promise<boolean>;
}

/** @throws what the stream fails with */
export function createByteReader(stream: Readable): ByteReader {
  const parts: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);

  const more = async (): Promise<boolean> => {
    const next = await parts.next();
    if (next.done === true) return false;
    rest = rest.length === 0 ? next.value : Buffer.concat([rest, next.value]);
    return true;
  };
  return {
    async read(bytes) {
      while (rest.length < bytes) if (!(await more())) return null;
      const taken = rest.subarray(0, bytes);
      rest = rest.subarray(bytes);
      return taken;
    },
    async skip(bytes) {
      for (let left = bytes; left > 0; ) {
        if (rest.length === 0 && !(await more())) return false;
        const dropped = Math.min(left, rest.length);
        rest = rest.subarray(dropped);
        left -= dropped;
      }
      return true;
    },
  };
}
