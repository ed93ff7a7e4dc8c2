import { RekindleError } from '#base/errors.ts';
import { lastErrorName, loadLibrary } from './koffi.ts';

/** Extended attributes of a file, which node:fs does not know. */
interface AttributeCalls {
  get(path: string, name: string, value: Buffer | null, size: number): number;
  set(path: string, name: string, value: Buffer, size: number, flags: number): number;
}

let calls: AttributeCalls | undefined;

function attributeCalls(): AttributeCalls {
  if (calls !== undefined) return calls;
  const libc = loadLibrary('libc.so.6', 'libc6');
  calls = {
    get: libc.func('long lgetxattr(const char *path, const char *name, void *value, size_t size)'),
    set: libc.func(
      'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
    ),
  };
  return calls;
}

/** Null: the file has no such attribute, or its file system none at all. */
export function readExtendedAttribute(path: string, name: string): Buffer | null {
  const { get } = attributeCalls();
  const size = get(path, name, null, 0);
  if (size < 0) {
    const error = lastErrorName();
    if (error === 'ENODATA' || error === 'EOPNOTSUPP') return null;
    throw new RekindleError('unexpected', `reading ${name} of ${path}`, { cause: new Error(error) });
  }
  const value = Buffer.alloc(size);
  const read = get(path, name, value, size);
  if (read !== size)
    throw new RekindleError('unexpected', `reading ${name} of ${path}: it changed meanwhile`);
  return value;
}

export function writeExtendedAttribute(path: string, name: string, value: Buffer): void {
  if (attributeCalls().set(path, name, value, value.length, 0) === 0) return;
  throw new RekindleError('unexpected', `writing ${name} of ${path}`, { cause: new Error(lastErrorName()) });
}
