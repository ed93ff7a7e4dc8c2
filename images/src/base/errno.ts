/** An error of the operating system with one of these codes, e.g. ENOENT. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code);
}

/** It is not there, or a part of its path is not. */
export const isAbsent = (error: unknown): boolean => isErrno(error, 'ENOENT', 'ENOTDIR');
