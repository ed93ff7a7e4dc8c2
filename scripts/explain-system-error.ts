import { RekindleError } from '#base/errors.ts';

/** What an error of the operating system says to a person; `where` is the path, where it names one. */
const explanations: Readonly<
  Record<string, (where: string) => { code: 'usage' | 'unexpected'; what: string; next: string }>
> = {
  ENOENT: (where) => ({
    code: 'usage',
    what: `${where} is not there, or the folder that it should be in is not`,
    next: 'Correct the path, or make the folder first.',
  }),
  ENOTDIR: fileInPlaceOfFolder,
  EEXIST: fileInPlaceOfFolder,
  EISDIR: (where) => ({
    code: 'usage',
    what: `${where} is a folder, and a file is needed`,
    next: 'Name a file.',
  }),
  EACCES: forbidden,
  EPERM: forbidden,
  EROFS: (where) => ({
    code: 'usage',
    what: `${where} cannot be written: its file system is read-only`,
    next: 'Name another place, or mount it read-write.',
  }),
  ENOSPC: full,
  EDQUOT: full,
};

function fileInPlaceOfFolder(where: string) {
  return {
    code: 'usage',
    what: `${where} is in the way: it exists, or a part of its path is a file`,
    next: 'Name another path.',
  } as const;
}

function forbidden(where: string) {
  return {
    code: 'usage',
    what: `${where} may not be used by this user`,
    next: 'Run it as root (sudo), or correct who may read and write there.',
  } as const;
}

function full(where: string) {
  return {
    code: 'unexpected',
    what: `There is no room for ${where}: its file system is full`,
    next: 'Make room there (df shows how much is free), or name another place, then start again.',
  } as const;
}

/** An error of a system call that no verb foresaw, with what to do about it; any other comes back as it is. */
export function explainSystemError(error: unknown): unknown {
  if (error instanceof RekindleError || !(error instanceof Error)) return error;
  const { code = '', path, syscall = '' } = error as NodeJS.ErrnoException;
  const explain = explanations[code];
  // A write says no path. Sockets have none either, and programs that are not installed are another matter.
  const isFile = path !== undefined || code === 'ENOSPC' || code === 'EDQUOT';
  if (explain === undefined || !isFile || syscall.startsWith('spawn')) return error;
  const explained = explain(path ?? 'what was being written');
  return new RekindleError(explained.code, explained.what, { cause: error, next: explained.next });
}
