import { open } from 'node:fs/promises';
import { toNetascii } from './netascii.ts';

/** A file that TFTP serves: bytes in memory, or a path and its size at that moment. */
export type ServedFile = (
  | { readonly bytes: Uint8Array }
  | { readonly path: string; readonly size: number }
) & {
  /** For the journal, where the name does not say it: `the boot menu of OS-SRV-1A`. */
  readonly what?: string;
};

/** The only names there are: a map, or what makes some of the files when they are asked for. */
export interface ServedFiles {
  get(name: string): ServedFile | undefined;
}

/** Random access to one open file; `read` throws when the file has become shorter than its size. */
export interface FileReader extends AsyncDisposable {
  readonly size: number;
  read(offset: number, length: number): Uint8Array | Promise<Uint8Array>;
}

/** Read ahead this much at once: some hundred blocks. */
const readAhead = 1 << 18;
/** netascii is for text, and is converted as a whole because every size depends on it. */
const largestText = 1 << 24;

/** Firmware writes the same name as `x`, `/x` or `\\x`. */
export function servedName(name: string): string {
  return name.replaceAll('\\', '/').replace(/^\/+/, '');
}

/** Nothing else is done to a name: it is looked up there and nowhere else, so that `..` is just an unknown name. */
export function findServedFile(
  files: ServedFiles,
  name: string,
  mode: 'octet' | 'netascii',
): ServedFile | 'too-large' | undefined {
  const file = files.get(servedName(name));
  if (file === undefined || mode === 'octet') return file;
  return sizeOf(file) > largestText ? 'too-large' : file;
}

/** Throws when the file cannot be opened. */
export async function openServedFile(file: ServedFile, mode: 'octet' | 'netascii'): Promise<FileReader> {
  if (mode === 'octet') return 'bytes' in file ? memoryReader(file.bytes) : pathReader(file.path, file.size);
  if ('bytes' in file) return memoryReader(toNetascii(file.bytes));
  await using reader = await pathReader(file.path, file.size);
  return memoryReader(toNetascii(await reader.read(0, file.size)));
}

function sizeOf(file: ServedFile): number {
  return 'bytes' in file ? file.bytes.length : file.size;
}

function memoryReader(bytes: Uint8Array): FileReader {
  return {
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function pathReader(path: string, size: number): Promise<FileReader> {
  const handle = await open(path);
  let start = 0;
  let ahead: Uint8Array = new Uint8Array(0);

  const fill = async (offset: number, length: number): Promise<Uint8Array> => {
    const wanted = Math.min(Math.max(length, readAhead), size - offset);
    const buffer = Buffer.allocUnsafeSlow(wanted);
    const { bytesRead } = await handle.read(buffer, 0, wanted, offset);
    if (bytesRead < wanted) throw new Error(`${path} is shorter than the ${size} bytes it had at start`);
    [start, ahead] = [offset, buffer];
    return buffer.subarray(0, length);
  };
  return {
    size,
    read(offset, wished) {
      const length = Math.max(0, Math.min(wished, size - offset));
      const from = offset - start;
      if (from >= 0 && from + length <= ahead.length) return ahead.subarray(from, from + length);
      return fill(offset, length);
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}
