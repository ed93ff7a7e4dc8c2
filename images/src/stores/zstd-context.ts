import zlib from 'node:zlib';

/**
 * zstd frames from one buffer into another, with a context that is kept. `zstdDecompressSync` and
 * `zstdCompressSync` make a context and an output buffer for every call: a quarter of the time of a chunk, and
 * garbage of the size of the disk (docs/facts.md). What is used here of Node's streams is not documented, so
 * all of it is checked first, and null means: use the documented functions.
 */
export interface ZstdContext {
  /**
   * Length of what was written to `into`, or null when this was no success: not one whole frame, no room in
   * `into`. A success says nothing about completeness: the caller hashes, or knows the input.
   */
  run(from: Uint8Array, into: Uint8Array): number | null;
}

interface NodeHandle {
  reset(): void;
  writeSync(
    flush: number,
    from: Uint8Array,
    fromOffset: number,
    fromBytes: number,
    into: Uint8Array,
    intoOffset: number,
    intoBytes: number,
  ): void;
  onerror: (message: string, errno: number, code: string) => void;
}

export const openDecompressor = (): ZstdContext | null => openContext(zlib.createZstdDecompress());

export const openCompressor = (level: number): ZstdContext | null =>
  openContext(zlib.createZstdCompress({ params: { [zlib.constants.ZSTD_c_compressionLevel]: level } }));

function openContext(stream: object): ZstdContext | null {
  const handle: unknown = Reflect.get(stream, '_handle');
  /** What is left of output and input after a call. */
  const left: unknown = Reflect.get(stream, '_writeState');
  if (!isNodeHandle(handle) || !(left instanceof Uint32Array) || left.length !== 2) return null;
  let failed = false;
  handle.onerror = () => {
    failed = true;
  };
  return {
    run(from, into) {
      failed = false;
      handle.reset();
      handle.writeSync(zlib.constants.ZSTD_e_end, from, 0, from.length, into, 0, into.length);
      const [outputLeft = 0, inputLeft = 0] = left;
      return failed || inputLeft > 0 ? null : into.length - outputLeft;
    },
  };
}

function isNodeHandle(value: unknown): value is NodeHandle {
  if (typeof value !== 'object' || value === null || !('onerror' in value)) return false;
  return ['reset', 'writeSync'].every((name) => typeof Reflect.get(value, name) === 'function');
}
